"""A segment as a SavedModel of its own, for model servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from fastbert_tf.segments.backends import (
    Parts,
    with_weights,
)

SIGNATURE = "serving_default"
# The graphs in a SavedModel, by what they compute in.
_NETWORK = "network_{dtype}"


def compute_dtypes(precision: str) -> tuple[str, ...]:
    """What the graphs of a precision compute in, `precision` itself first.

    A bundle may be loaded on another machine than it was made on, and which
    graph of `"bfloat16"` is the fast one is the processor's to say. A graph
    is a hundredth of its weights, so both are kept, over the same weights.
    """
    return ("float32",) if precision == "float32" else (precision, "float32")


def save_segment(parts: Sequence[Parts], folder: str, hidden_size: int) -> None:
    """Writes one segment, its own weights only.

    The weights are variables of the segment's precision. The signature reads
    them; a network takes them as arguments, so that whoever loads it may pass
    constants.

    Args:
        parts: the segment, in each of `compute_dtypes`.
        folder: of the SavedModel.
        hidden_size: int, H.
    """
    stored = parts[0]
    signature = stored.signature(hidden_size)
    module = tf.Module()
    module.weights = [
        tf.Variable(weight.value.numpy(), name=weight.path)
        for weight in stored.weights
    ]
    for dtype, part in zip(
        compute_dtypes(stored.precision), parts, strict=True
    ):
        setattr(module, _NETWORK.format(dtype=dtype), _network(part, signature))
    network = getattr(module, _NETWORK.format(dtype=stored.precision))

    def run(*arguments: Any) -> Any:
        return network(*arguments, *module.weights)

    module.run = tf.function(run, input_signature=signature, autograph=False)
    tf.saved_model.save(module, folder, signatures={SIGNATURE: module.run})


def _network(parts: Parts, signature: Sequence[tf.TensorSpec]) -> Any:
    weights, num_inputs = parts.weights, len(signature)

    def network(*arguments: Any) -> Any:
        given, values = arguments[:num_inputs], arguments[num_inputs:]
        return with_weights(parts.run, weights, values)(*given)

    specs = [tf.TensorSpec(w.shape, w.dtype) for w in weights]
    specs = [*signature, *specs]
    return tf.function(network, input_signature=specs, autograph=False)
