"""Packing the rows that stay densely, on the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from .row_state import RowState, take_rows


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
        rows: RowState,
        leaves: np.ndarray,
        longest: Callable[[np.ndarray], int] | None = None,
    ) -> RowState:
        """The rows that stay.

        Args:
            rows: `RowState` of B, behind a segment.
            leaves: bool `[B]` on the host.
            longest: function of row ids that gives the positions these rows
                need; all are kept without it.
        """
        stays = ~leaves
        if stays.all():
            return rows
        if not stays.any():
            return rows.part(0, 0)
        row_ids = rows.row_ids[stays]
        length = longest(row_ids) if longest else rows.padding_mask.shape[1]
        states, mask = self._packed(rows, stays, int(length))
        history = rows.history
        if history is not None:
            places = np.flatnonzero(stays)
            history = tf.nest.map_structure(
                lambda x: take_rows(x, places), history
            )
        return rows._replace(
            hidden_states=states,
            padding_mask=mask,
            row_ids=row_ids,
            thresholds=rows.thresholds[stays],
            history=history,
        )

    def _packed(
        self, rows: RowState, stays: np.ndarray, length: int
    ) -> tuple[Any, Any]:
        if isinstance(rows.padding_mask, np.ndarray):
            given = rows.hidden_states, rows.padding_mask
            return tuple(x[stays, :length] for x in given)
        length = tf.constant(length, tf.int32)
        return self._compact(*rows[:2], tf.constant(stays), length)


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
