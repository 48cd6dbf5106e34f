"""`ExitTrace`: what every exit says of a dataset, from one run over it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..inputs import INPUT_NAMES, check_inputs
from ..model import FastBertClassifier
from ..uncertainty import normalized_entropy


@dataclasses.dataclass(frozen=True)
class ExitTrace:
    """What every exit says of N examples: all that evaluation needs.

    Args:
        exit_logits: float32 `[L, N, C]`.
        labels: int32 `[N]` in [0, C), or None for unlabelled text.
        lengths: int32 `[N]`, real tokens of each example.

    Raises:
        ValueError: there is no example, sizes differ, or a label is not a
            class of the model.
    """

    exit_logits: np.ndarray
    labels: np.ndarray | None
    lengths: np.ndarray

    def __post_init__(self) -> None:
        _, num_examples, num_classes = self.exit_logits.shape
        if num_examples == 0:
            raise ValueError(
                "Nothing to evaluate. Received: 0 examples. Expected at "
                "least one. Check the dataset."
            )
        for name in ("lengths", "labels"):
            array = getattr(self, name)
            if array is not None and array.shape != (num_examples,):
                raise ValueError(
                    f"`{name}` must have shape ({num_examples},), one an "
                    f"example. Received: shape {array.shape}. Batch the "
                    "dataset as (inputs, label)."
                )
        if self.labels is not None:
            _check_labels(self.labels, num_classes)

    @property
    def num_exits(self) -> int:
        """L."""
        return self.exit_logits.shape[0]

    @property
    def mean_uncertainty(self) -> np.ndarray:
        """float64 `[L]`: how unsure each exit is of all examples.

        Where it stays near 1, as with many classes, only a `speed` near 1
        lets anyone leave. Examples without a valid answer do not count; NaN
        if there is no other.
        """
        uncertainty = normalized_entropy(self.exit_logits)  # [L, N]
        valid = np.isfinite(uncertainty)
        total = np.where(valid, uncertainty, 0.0).sum(axis=1, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return total / valid.sum(axis=1)


def _check_labels(labels: np.ndarray, num_classes: int) -> None:
    bad = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(bad):
        raise ValueError(
            f"Labels must be in [0, {num_classes}), the model's classes. "
            f"Received: {labels[bad[0]]} in example {bad[0]}. Use the label "
            "list the model was trained with."
        )


def collect_exits(
    model: FastBertClassifier, dataset: Iterable[Any]
) -> ExitTrace:
    """Runs the model once over a dataset and keeps what every exit says.

    The network is traced once, whatever the batches' sizes and lengths.

    Args:
        model: `FastBertClassifier`.
        dataset: `tf.data.Dataset` or another iterable of `(inputs, label)`
            or of `inputs`: dict of int `[B, S]` and int `[B]`. It must end.

    Returns:
        `ExitTrace` in the order of the dataset.
    """
    spec = tf.TensorSpec([None, None], tf.int32)
    run = tf.function(
        model.exit_logits,
        input_signature=[dict.fromkeys(INPUT_NAMES, spec)],
        autograph=False,
    )
    logits, labels, lengths = [], [], []
    for batch in dataset:
        inputs, label, _ = keras.utils.unpack_x_y_sample_weight(batch)
        inputs = check_inputs(inputs, model.config)
        logits.append(run(inputs).numpy())  # [L, B, C]
        lengths.append(tf.reduce_sum(inputs["padding_mask"], axis=1).numpy())
        if label is not None:
            labels.append(np.asarray(label, np.int32))
    config = model.config
    empty = np.empty((config.num_hidden_layers, 0, config.num_classes))
    return ExitTrace(
        np.concatenate([empty, *logits], axis=1, dtype=np.float32),
        np.concatenate(labels) if labels else None,
        np.concatenate([[], *lengths], dtype=np.int32, casting="unsafe"),
    )
