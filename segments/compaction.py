"""Packing the rows that stay densely, on the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Rows(NamedTuple):
    """Rows between two segments: tensors on the device, ids on the host.

    Args:
        hidden_states: `[B, S, H]`; None before the first segment.
        padding_mask: int32 `[B, S]`.
        row_ids: int64 `[B]` on the host, the place of each row in the
            caller's order.
    """

    hidden_states: tf.Tensor | None
    padding_mask: tf.Tensor
    row_ids: np.ndarray


class Compaction:
    """Takes the rows that leave out of a batch.

    Nothing is copied where all rows stay, or none. The graph is traced once,
    for any number of rows and any length.

    Args:
        hidden_size: int, H.
        precision: str, of the hidden states.
    """

    def __init__(self, hidden_size: int, precision: str) -> None:
        signature = [
            tf.TensorSpec([None, None, hidden_size], precision),
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.bool),
            tf.TensorSpec([], tf.int32),
        ]
        self.function = tf.function(
            compact, input_signature=signature, autograph=False
        )
        self._compact = self.function.get_concrete_function()

    def survivors(
        self,
        rows: Rows,
        leaves: np.ndarray,
        longest: Callable[[np.ndarray], int] | None = None,
    ) -> Rows:
        """The rows that stay.

        Args:
            rows: `Rows` of B.
            leaves: bool `[B]` on the host.
            longest: function of row ids that gives the positions these rows
                need; all are kept without it.
        """
        row_ids = rows.row_ids[~leaves]
        if len(row_ids) in (0, len(leaves)):
            return rows._replace(row_ids=row_ids)
        length = longest(row_ids) if longest else rows.padding_mask.shape[1]
        stays = tf.constant(~leaves)
        kept = self._compact(*rows[:2], stays, tf.constant(length, tf.int32))
        return Rows(*kept, row_ids)


def compact(
    hidden_states: Any, padding_mask: Any, stays: Any, length: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """The rows that stay, packed densely and trimmed to `length` positions.

    Args:
        hidden_states: `[B, S, H]`.
        padding_mask: int32 `[B, S]`.
        stays: bool `[B]`, K of them true.
        length: int32 `[]`, at most S.

    Returns:
        hidden states `[K, length, H]` and padding mask `[K, length]`.
    """
    kept = (tf.boolean_mask(x, stays) for x in (hidden_states, padding_mask))
    hidden_states, padding_mask = (x[:, :length] for x in kept)
    return hidden_states, padding_mask
