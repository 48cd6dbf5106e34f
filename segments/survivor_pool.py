"""Survivors of several batches that wait for one segment, on the device."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from .compaction import Rows


class SurvivorPool:
    """Rows of one length that wait, to be taken in any order.

    They stay in the batches they came in until some of a batch are taken or
    dropped; then the rest is copied, so that no memory is held for rows that
    are gone.
    """

    def __init__(self) -> None:
        self._parts = []

    def __len__(self) -> int:
        return sum(len(rows.row_ids) for rows in self._parts)

    def add(self, rows: Rows) -> None:
        """Lets rows wait."""
        if len(rows.row_ids):
            self._parts.append(rows)

    def take(self, row_ids: Sequence[int]) -> Rows:
        """The rows named, as one batch, in the order they came.

        Raises:
            KeyError: one of them is not here.
        """
        taken = [
            select(rows, np.isin(rows.row_ids, row_ids)) for rows in self._parts
        ]
        missing = len(row_ids) - sum(len(rows.row_ids) for rows in taken)
        if missing:
            raise KeyError(f"{missing} of {len(row_ids)} rows are not here.")
        self.drop(row_ids)
        return joined([rows for rows in taken if len(rows.row_ids)])

    def drop(self, row_ids: Sequence[int]) -> None:
        """Forgets rows, those that are here."""
        parts = [
            select(rows, np.isin(rows.row_ids, row_ids, invert=True))
            for rows in self._parts
        ]
        self._parts = [rows for rows in parts if len(rows.row_ids)]


def select(rows: Rows, is_chosen: np.ndarray) -> Rows:
    """The rows chosen by bool `[B]`; nothing is copied for all or none."""
    if is_chosen.all():
        return rows
    if not is_chosen.any():
        return Rows(None, rows.padding_mask[:0], rows.row_ids[:0])
    places = np.flatnonzero(is_chosen)
    states, mask = (tf.gather(x, places) for x in rows[:2])
    return Rows(states, mask, rows.row_ids[places])


def take(pool: deque[Rows], count: int) -> Rows:
    """The first `count` rows of a first-in, first-out pool, as one batch."""
    parts, missing = [], count
    while missing:
        rows = pool.popleft()
        if len(rows.row_ids) > missing:
            pool.appendleft(Rows(*(x[missing:] for x in rows)))
            rows = Rows(*(x[:missing] for x in rows))
        parts.append(rows)
        missing -= len(rows.row_ids)
    return joined(parts)


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of one length, one after another; at least one of `parts`."""
    if len(parts) == 1:
        return parts[0]
    states, masks, row_ids = zip(*parts, strict=True)
    return Rows(
        tf.concat(states, 0), tf.concat(masks, 0), np.concatenate(row_ids)
    )
