"""Splitting a batch into the rows that leave and the rows that stay."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from fastbert_tf import FastBertConfig


class Rows(NamedTuple):
    """Rows on their way through the segments, all tensors on the device.

    Args:
        hidden_states: `[B, S, H]`.
        padding_mask: int32 `[B, S]`.
        row_ids: int32 `[B]`, the place of each row in the caller's order.
        speed: float32 `[B]`, the threshold of each row.
    """

    hidden_states: tf.Tensor
    padding_mask: tf.Tensor
    row_ids: tf.Tensor
    speed: tf.Tensor


class Answers(NamedTuple):
    """What rows leave with, on the device.

    Args:
        row_ids: int32 `[B]`.
        logits: float32 `[B, C]`.
        uncertainty: float32 `[B]`.
    """

    row_ids: tf.Tensor
    logits: tf.Tensor
    uncertainty: tf.Tensor


def build_compact(config: FastBertConfig, precision: str) -> Any:
    """`compact` as a `tf.function`, traced once for any rows and length.

    Args:
        config: `FastBertConfig`, for H and C.
        precision: str, of the hidden states.
    """
    rows = Rows(
        tf.TensorSpec([None, None, config.hidden_size], precision),
        tf.TensorSpec([None, None], tf.int32),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None], tf.float32),
    )
    answers = Answers(
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None, config.num_classes], tf.float32),
        tf.TensorSpec([None], tf.float32),
    )
    return tf.function(
        compact, input_signature=[rows, answers], autograph=False
    )


def compact(rows: Rows, answers: Answers) -> tuple[Answers, Rows]:
    """The answers of the rows that leave, and the survivors, packed densely.

    A row leaves when `uncertainty < speed`; NaN compares false, so that a
    row without a usable answer goes on.
    """
    leaves = answers.uncertainty < rows.speed  # [B]
    leaving = Answers(*(tf.boolean_mask(x, leaves) for x in answers))
    stays = tf.logical_not(leaves)
    return leaving, Rows(*(tf.boolean_mask(x, stays) for x in rows))
