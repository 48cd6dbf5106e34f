"""Admission control: whether new rows would be answered in time."""

from __future__ import annotations

import bisect
import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

from ..scheduler import Plan
from .launch_costs import LaunchCosts

# Waiting for others is taken to be this much longer than estimated: launches
# are seldom as full as they could be, and full ones go before urgent rows.
SAFETY = 1.5


@dataclasses.dataclass(slots=True)
class OnlineRow:
    """A row inside.

    Args:
        row_id: int.
        order: int, of arrival.
        bucket: int.
        deadline: float.
        may_leave: bool, before the last segment.
        segment: int, the next it needs.
    """

    row_id: int
    order: int
    bucket: int
    deadline: float
    may_leave: bool
    segment: int = 0

    @property
    def key(self) -> tuple[float, int, int]:
        """Sorts rows: the earliest deadline, then the first to arrive."""
        return self.deadline, self.order, self.row_id


def is_feasible(
    costs: LaunchCosts,
    rows: Iterable[OnlineRow],
    new: Sequence[OnlineRow],
    in_flight: Iterable[Plan],
    max_batch_size: int,
    now: float,
) -> bool:
    """Whether new rows, and rows inside whose deadline is later, keep theirs.

    Taken are the shares of rows that have left at each segment lately; a new
    row must besides have the time to go through every segment by itself.

    Args:
        costs: `LaunchCosts`.
        rows: `OnlineRow`s, waiting or in flight.
        in_flight: `Plan`s.
        max_batch_size: int.
        new: `OnlineRow`s of one deadline; none of them is in `rows`.
        now: float.
    """
    deadline = new[0].deadline
    alone = max(
        costs.remaining_seconds(0, bucket, 1, may_leave=False)
        for bucket in {row.bucket for row in new}
    )
    if now + alone > deadline:
        return False
    work, mine = _Work(costs, in_flight, max_batch_size), 0.0
    new_rows = {row.order for row in new}
    for row in sorted([*rows, *new], key=lambda x: x.key):
        before = work.seconds
        work.add(row)
        if row.order in new_rows:
            mine += work.seconds - before
        needed = SAFETY * (work.seconds - mine) + mine
        if row.deadline >= deadline and now + needed > row.deadline:
            return False
    return True


class Backlog:
    """The work inside at one moment, for those who are not yet let in.

    Args:
        costs, rows, in_flight, max_batch_size: as of `is_feasible`.
        now: float.
    """

    def __init__(
        self,
        costs: LaunchCosts,
        rows: Iterable[OnlineRow],
        in_flight: Iterable[Plan],
        max_batch_size: int,
        now: float,
    ) -> None:
        work = _Work(costs, in_flight, max_batch_size)
        self.now = now
        self._deadlines = []
        self._seconds = [work.seconds]
        for row in sorted(rows, key=lambda x: x.key):
            work.add(row)
            self._deadlines.append(row.deadline)
            self._seconds.append(work.seconds)

    @property
    def seconds(self) -> float:
        """Estimated, until all rows inside are answered."""
        return self._seconds[-1]

    def is_hopeless(self, deadline: float) -> bool:
        """Whether rows of earlier deadlines alone take until after it.

        `is_feasible` would refuse any row of such a deadline.
        """
        before = bisect.bisect_right(self._deadlines, deadline)
        return self.now + SAFETY * self._seconds[before] > deadline


class _Work:
    """Seconds of launches, those of a pool together as far as they fit.

    Rows of one length at different segments do not wait for each other.
    """

    def __init__(
        self, costs: LaunchCosts, in_flight: Iterable[Plan], batch_size: int
    ) -> None:
        self._costs = costs
        self._batch_size = batch_size
        self._counts = Counter()
        self.seconds = sum(
            costs.launch_seconds(x.segment, x.bucket, len(x.row_ids))
            for x in in_flight
        )

    def add(self, row: OnlineRow) -> None:
        """Another row, after those before."""
        given = row.segment, row.bucket
        seconds = self._costs.remaining_seconds(*given, 1, row.may_leave)
        if self._counts[given] % self._batch_size:
            fixed = self._costs.remaining_seconds(*given, 0, row.may_leave)
            seconds -= fixed
        self._counts[given] += 1
        self.seconds += seconds
