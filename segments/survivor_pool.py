"""`SurvivorPool`: rows of several batches that wait for one segment."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from .row_state import RowState, joined


class SurvivorPool:
    """Rows of one length that wait, to be taken in any order.

    They stay in the batches they came in until some of a batch are taken or
    dropped; then the rest is copied, so that no memory is held for rows that
    are gone.
    """

    def __init__(self) -> None:
        self._parts = []

    def __len__(self) -> int:
        return sum(rows.num_rows for rows in self._parts)

    def add(self, rows: RowState) -> None:
        """Lets rows wait."""
        if rows.num_rows:
            self._parts.append(rows)

    def take(self, row_ids: Sequence[int]) -> RowState:
        """The rows named, as one batch, in the order they came.

        Raises:
            KeyError: one of them is not here.
        """
        taken = [
            rows.select(np.isin(rows.row_ids, row_ids)) for rows in self._parts
        ]
        missing = len(row_ids) - sum(rows.num_rows for rows in taken)
        if missing:
            raise KeyError(f"{missing} of {len(row_ids)} rows are not here.")
        self.drop(row_ids)
        return joined([rows for rows in taken if rows.num_rows])

    def drop(self, row_ids: Sequence[int]) -> None:
        """Forgets rows, those that are here."""
        parts = [
            rows.select(np.isin(rows.row_ids, row_ids, invert=True))
            for rows in self._parts
        ]
        self._parts = [rows for rows in parts if rows.num_rows]


def take(pool: deque[RowState], count: int) -> RowState:
    """The first `count` rows of a first-in, first-out pool, as one batch."""
    parts, missing = [], count
    while missing:
        rows = pool.popleft()
        if rows.num_rows > missing:
            pool.appendleft(rows.part(missing, rows.num_rows))
            rows = rows.part(0, missing)
        parts.append(rows)
        missing -= rows.num_rows
    return joined(parts)
