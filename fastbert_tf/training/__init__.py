"""Both stages of training, and what they need around `model.fit`."""
