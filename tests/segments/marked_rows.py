"""Rows whose every value tells which row it belongs to."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fastbert_tf.segments.row_state import RowState

H, NUM_EXITS = 12, 5


def marked_rows(
    row_ids: Sequence[int],
    positions: int = 7,
    to: Callable[[np.ndarray], Any] = tf.constant,
) -> RowState:
    """A state with a history, of tensors or, with `to=np.asarray`, arrays."""
    ids = np.array(row_ids, np.int64)
    marked = ids.astype("float32")
    return RowState(
        hidden_states=to(np.tile(marked[:, None, None], (1, positions, H))),
        padding_mask=to(np.tile(ids[:, None], (1, positions)).astype("int32")),
        row_ids=ids,
        thresholds=np.tile(marked[:, None], (1, NUM_EXITS)),
        history={"seen": to(marked)},
    )


def check_marked(rows: RowState, row_ids: Sequence[int]) -> None:
    """Everything of these rows is there, in this order."""
    assert rows.row_ids.tolist() == list(row_ids)
    of_rows = [*rows[:2], rows.thresholds, rows.history["seen"]]
    for values in map(np.asarray, of_rows):
        ids = rows.row_ids.reshape(-1, *[1] * (values.ndim - 1))
        expected = np.broadcast_to(ids, (len(ids), *values.shape[1:]))
        np.testing.assert_array_equal(values, expected)
