"""What computes a segment: TensorFlow's graphs, OpenVINO's networks."""
