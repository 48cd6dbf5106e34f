"""JSON form of numbers and errors in answers."""

from fastbert_tf.segments import NOT_FINITE, rounded

__all__ = ["NOT_FINITE", "rounded"]
