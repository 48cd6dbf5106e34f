"""The whole model as one SavedModel for TensorFlow Serving."""
