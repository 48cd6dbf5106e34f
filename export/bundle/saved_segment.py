"""A segment as a SavedModel of its own, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fastbert_tf import FastBertConfig
from fastbert_tf.checkpoints import EXIT_PREFIX, listed, variable_shapes
from fastbert_tf.segments import Segment
from fastbert_tf.segments.backends import (
    Parts,
    compute_dtype,
    segment_signature,
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


def load_segment(
    folder: str,
    first_block: int,
    index: int,
    config: FastBertConfig,
    precision: str,
) -> Segment:
    """The segment in a folder, its weights constants again.

    Args:
        folder: of a SavedModel that `save_segment` wrote.
        first_block, index: int, the block it begins with and the exit it
            ends with.
        config: `FastBertConfig` of the whole network.
        precision: str, of the weights.

    Raises:
        ValueError: the weights are not those of such a segment.
    """
    loaded = tf.saved_model.load(folder)
    _check_weights(loaded, folder, first_block, index, config, precision)
    dtype = compute_dtype(precision)
    network = getattr(loaded, _NETWORK.format(dtype=dtype))
    weights = [np.asarray(tf.cast(w, dtype)) for w in loaded.weights]

    def run(*arguments: Any) -> Any:
        constants = [tf.constant(weight) for weight in weights]
        return network(*arguments, *constants)

    is_first = first_block == 0
    signature = segment_signature(is_first, config.hidden_size, precision)
    function = tf.function(run, input_signature=signature, autograph=False)
    function.get_concrete_function()
    return Segment(index, function, config, precision, first_block)


def _check_weights(
    loaded: Any,
    folder: str,
    first_block: int,
    index: int,
    config: FastBertConfig,
    precision: str,
) -> None:
    prefixes = [f"block_{i}" for i in range(first_block, index + 1)]
    prefixes += [f"{EXIT_PREFIX}{index}"]
    prefixes += ["embeddings"] if first_block == 0 else []
    shapes = variable_shapes(config, with_exit_classifiers=True)
    expected = {
        name: (shape, precision)
        for name, shape in shapes.items()
        if name.partition("/")[0] in prefixes
    }
    received = {
        weight.name.removesuffix(":0"): (
            tuple(weight.shape),
            weight.dtype.name,
        )
        for weight in loaded.weights
    }
    if received != expected:
        different = dict(received.items() ^ expected.items())
        raise ValueError(
            f"{folder} holds other weights than its manifest says. Received "
            f"or expected differently: {listed(different)}. Export the model "
            "again."
        )


def _network(parts: Parts, signature: Sequence[tf.TensorSpec]) -> Any:
    weights, num_inputs = parts.weights, len(signature)

    def network(*arguments: Any) -> Any:
        given, values = arguments[:num_inputs], arguments[num_inputs:]
        return with_weights(parts.run, weights, values)(*given)

    specs = [tf.TensorSpec(w.shape, w.dtype) for w in weights]
    specs = [*signature, *specs]
    return tf.function(network, input_signature=specs, autograph=False)
