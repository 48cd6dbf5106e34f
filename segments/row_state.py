"""`RowState`: everything that travels with a row between segments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from fastbert_tf import entropy_score


class RowState(NamedTuple):
    """B rows between two segments, all that goes with them.

    Tensors are on the device, or arrays of NumPy where segments work on
    those; the rest is on the host. `Segment.run` takes it and gives it,
    compaction and pools pack it: who lets something new travel with a row
    adds it here.

    Args:
        hidden_states: `[B, S, H]`; None before the first segment.
        padding_mask: int32 `[B, S]`.
        row_ids: int64 `[B]` on the host, the place of each row in the
            caller's order.
        thresholds: float32 `[B, L]` on the host, each row's `ExitRule`.
        history: what the exit score keeps of the exits before, a structure
            of `[B, ...]`; None for nothing.
        inputs: dict of int32 `[B, S]`, before the first segment; then None.
        score: function, the `ExitRule.score` of all rows.
    """

    hidden_states: Any
    padding_mask: Any
    row_ids: np.ndarray
    thresholds: np.ndarray
    history: Any = None
    inputs: Mapping[str, Any] | None = None
    score: Callable[[Any, Any], tuple[Any, Any]] = entropy_score

    @property
    def num_rows(self) -> int:
        """B."""
        return len(self.row_ids)

    def asks(self, exit_index: int) -> bool:
        """Whether some row asks a student; see `ExitRule`."""
        return bool(np.any(~np.isnan(self.thresholds[:, exit_index + 1])))

    def behind(self, hidden_states: Any) -> RowState:
        """The same rows behind a segment, which gave these states."""
        return self._replace(hidden_states=hidden_states, inputs=None)

    def select(self, is_chosen: np.ndarray) -> RowState:
        """The rows chosen by bool `[B]`; nothing is copied for all or none."""
        if is_chosen.all():
            return self
        if not is_chosen.any():
            return self.part(0, 0)
        places = np.flatnonzero(is_chosen)
        return self._map(lambda x: take_rows(x, places))

    def part(self, start: int, end: int) -> RowState:
        """The rows from `start` up to `end`."""
        return self._map(lambda x: x[start:end])

    def _map(self, function: Callable[[Any], Any]) -> RowState:
        """The state whose every array of rows is that of `function`."""
        return RowState(
            *tf.nest.map_structure(
                lambda x: None if x is None else function(x), tuple(self[:6])
            ),
            score=self.score,
        )


def take_rows(x: Any, places: np.ndarray) -> Any:
    """Rows of a tensor or an array, at int `[K]`."""
    return x[places] if isinstance(x, np.ndarray) else tf.gather(x, places)


def joined(states: Sequence[RowState]) -> RowState:
    """Rows of one length and score, one state after another; at least one."""
    if len(states) == 1:
        return states[0]
    parts = tf.nest.map_structure(_joined, *(tuple(x[:6]) for x in states))
    return RowState(*parts, score=states[0].score)


def _joined(*parts: Any) -> Any:
    if parts[0] is None:
        return None
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return tf.concat(parts, 0)
