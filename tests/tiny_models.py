"""Tiny models, rows for them, and a problem they can learn.

Sizes are pairwise different, so that a transposed axis cannot pass.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import FastBertClassifier, FastBertConfig
from fastbert_tf.segments import Segment

ROWS, POSITIONS, NUM_CLASSES, NUM_BLOCKS = 3, 7, 5, 4

Inputs = dict[str, np.ndarray]
# Every pooling and activation but the usual, each once in the default tier.
each_unusual_network = pytest.mark.parametrize(
    ("pooling", "activation"),
    [
        ("max", "gelu_new"),
        pytest.param("max", "relu", marks=pytest.mark.slow),
        pytest.param("last", "gelu_new", marks=pytest.mark.slow),
        ("last", "relu"),
    ],
)


def tiny_config(**changes: Any) -> FastBertConfig:
    """Four blocks, H 12, N 2, F 20, C 5, exit classifiers of 18."""
    config = FastBertConfig(
        vocab_size=23,
        hidden_size=12,
        num_hidden_layers=NUM_BLOCKS,
        num_attention_heads=2,
        intermediate_size=20,
        max_position_embeddings=11,
        num_classes=NUM_CLASSES,
        classifier_hidden_size=18,
    )
    return config.replace(**changes)


def tiny_inputs(
    rows: int = ROWS, positions: int = POSITIONS, seed: int = 0
) -> Inputs:
    """Rows of random ids and lengths, the second half of a text a pair."""
    rng = np.random.default_rng(seed)
    at = np.arange(positions)[None]
    lengths = rng.integers(1, max(positions, 1) + 1, (rows, 1))
    mask = at < lengths
    inputs = {
        "token_ids": rng.integers(1, 23, (rows, positions)) * mask,
        "token_type_ids": (at >= lengths // 2) * mask,
        "padding_mask": mask,
    }
    return {name: array.astype("int32") for name, array in inputs.items()}


def take(inputs: Inputs, rows: Any) -> Inputs:
    """Some rows of `inputs`, in the order named."""
    return {name: array[rows] for name, array in inputs.items()}


def pad(inputs: Inputs, num_more: int) -> Inputs:
    """`inputs` with that many padding positions more."""
    widths = ((0, 0), (0, num_more))
    return {name: np.pad(array, widths) for name, array in inputs.items()}


def randomize(layer: keras.layers.Layer, seed: int) -> None:
    """Gives weights a size at which exits disagree and are unsure apart."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        value = rng.standard_normal(weight.shape)
        if weight.path.endswith("kernel"):
            gain = 5.0 if "logits_dense" in weight.path else 1.0
            value *= gain / weight.shape[0] ** 0.5
        elif weight.path.endswith(("bias", "beta")):
            value *= 0.3
        elif weight.path.endswith("gamma"):
            value = 1.0 + 0.1 * value
        weight.assign(value.astype("float32"))


def random_model(seed: int = 0, **changes: Any) -> FastBertClassifier:
    """A model of random weights whose rows leave at every exit."""
    model = FastBertClassifier(tiny_config(**changes))
    randomize(model, seed)
    return model


def faulty(
    segment: Segment, fault: Callable[[dict[str, Any]], dict[str, Any]]
) -> Segment:
    """`segment` with `fault` applied to what it returns."""

    class Faulty(Segment):
        def run(self, *arguments: Any, **named: Any) -> dict[str, Any]:
            return fault(dict(segment.run(*arguments, **named)))

        def advance(self, *arguments: Any, **named: Any) -> Any:
            return self.run(*arguments, **named)["hidden_states"]

    return Faulty(
        segment.index, segment.function, segment.config, segment.precision
    )


def values(weights: list[keras.Variable]) -> dict[str, np.ndarray]:
    """A copy of weights by path."""
    return {w.path: w.numpy().copy() for w in weights}


def changed(before: dict[str, np.ndarray], model: keras.Model) -> set[str]:
    """Paths of the weights that differ from `before` in any bit."""
    after = values(model.weights)
    return {
        path
        for path, value in before.items()
        if value.tobytes() != after[path].tobytes()
    }


def toy_rows(rows: int = 40, seed: int = 0) -> tuple[Inputs, np.ndarray]:
    """Rows whose first token decides the label."""
    inputs = tiny_inputs(rows, seed=seed)
    labels = (np.arange(rows) % NUM_CLASSES).astype("int32")
    inputs["token_ids"][:, 0] = 1 + labels
    return inputs, labels


def toy_dataset(
    rows: int = 40, batch_size: int = 8, seed: int = 0
) -> tf.data.Dataset:
    """`toy_rows` as a dataset of known size."""
    tensors = toy_rows(rows, seed)
    return tf.data.Dataset.from_tensor_slices(tensors).batch(batch_size)
