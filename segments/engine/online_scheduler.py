"""`OnlineScheduler`: which pool runs next, by depth and by deadline.

Decisions are made on ids, counts and times alone; the times are the
caller's. The rule is: the deepest full pool first; where none is full, the
pool that holds the earliest deadline, at once. Of a pool the rows with the
earliest deadlines run. Where seconds are known, a full pool does not go before
a deadline that would then be missed: without that, under load, rows in pools
that seldom fill are passed over until they expire.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from ..scheduler import Plan, check_sizes
from .admission import SAFETY, Backlog, OnlineRow, is_feasible
from .launch_costs import LaunchCosts

# Why rows are refused.
FULL = "full"
DEADLINE = "deadline"


class OnlineScheduler:
    """Pools of waiting rows, one per segment and length bucket.

    A launch in flight may fill a pool, so a pool that is not full runs only
    when nothing is in flight; then it does, whatever it holds: there is no
    waiting for more rows. Rows inside, waiting or in flight, are
    `max_enqueued_rows` at most, however deep they go.

    Args:
        num_segments: int, L.
        max_batch_size: int, B, rows of one launch.
        max_enqueued_rows: int.
        costs: `LaunchCosts`; without it nothing is known of seconds, and a
            row is given up at its deadline, not before.
    """

    def __init__(
        self,
        num_segments: int,
        max_batch_size: int,
        max_enqueued_rows: int,
        costs: LaunchCosts | None = None,
    ) -> None:
        check_sizes(
            num_segments=num_segments,
            max_batch_size=max_batch_size,
            max_enqueued_rows=max_enqueued_rows,
        )
        self.num_segments = num_segments
        self.max_batch_size = max_batch_size
        self.max_enqueued_rows = max_enqueued_rows
        self.costs = costs or LaunchCosts(num_segments)
        self._rows = {}
        # (segment, bucket) to the keys of its rows, sorted; none is empty.
        self._pools = {}
        self._in_flight = []
        self._withdrawn = set()
        self._num_added = 0

    @property
    def num_rows(self) -> int:
        """Rows inside, in flight or waiting."""
        return len(self._rows)

    @property
    def num_waiting(self) -> int:
        """Rows in pools."""
        return sum(map(len, self._pools.values()))

    @property
    def pool_sizes(self) -> list[int]:
        """Rows that wait for each segment, over all buckets."""
        sizes = [0] * self.num_segments
        for (segment, _), pool in self._pools.items():
            sizes[segment] += len(pool)
        return sizes

    def backlog(self, now: float) -> Backlog:
        """The work inside as it is now."""
        return Backlog(
            self.costs,
            self._rows.values(),
            self._in_flight,
            self.max_batch_size,
            now,
        )

    def refusal(
        self,
        buckets: Sequence[int],
        deadline: float,
        may_leave: Sequence[bool],
        now: float,
    ) -> str | None:
        """Why rows must not be added now; None if they may.

        They are refused if there is no room, if their deadline has come, or
        if by the estimates they, or rows inside whose deadline is later,
        would not be answered in time.

        Args:
            buckets, deadline, may_leave: as of `add`; at least one row.
            now: float, on the clock of the deadlines.
        """
        if self.num_rows + len(buckets) > self.max_enqueued_rows:
            return FULL
        new = [
            OnlineRow(-1, self._num_added, bucket, deadline, leaves)
            for bucket, leaves in zip(buckets, may_leave, strict=True)
        ]
        rows, size = self._rows.values(), self.max_batch_size
        if now < deadline and is_feasible(
            self.costs, rows, new, self._in_flight, size, now
        ):
            return None
        return DEADLINE

    def add(
        self,
        row_ids: Sequence[int],
        buckets: Sequence[int],
        deadline: float,
        may_leave: Sequence[bool],
    ) -> None:
        """Lets rows wait for the first segment.

        Args:
            row_ids: ints, of no other row inside.
            buckets: ints, their padded lengths.
            deadline: float, infinite for none.
            may_leave: bools; False for rows that only the last segment
                answers, whose time is known.
        """
        assert self.num_rows + len(row_ids) <= self.max_enqueued_rows
        given = zip(row_ids, buckets, may_leave, strict=True)
        for row_id, bucket, leaves in given:
            assert row_id not in self._rows
            order = self._num_added
            row = OnlineRow(row_id, order, bucket, deadline, leaves)
            self._num_added += 1
            self._rows[row_id] = row
            self._wait(row)

    def next_plan(self, now: float) -> Plan | None:
        """The next launch; None if no row may run now.

        Args:
            now: float.
        """
        if not self._pools:
            return None
        urgent = min(self._pools, key=lambda x: self._pools[x][0])
        full = [
            (-segment, pool[0], bucket)
            for (segment, bucket), pool in self._pools.items()
            if len(pool) >= self.max_batch_size
        ]
        if full:
            deepest, _, bucket = min(full)
            chosen = -deepest, bucket
            can_wait = self._can_wait(urgent, chosen, now)
            return self._take(chosen if can_wait else urgent)
        return None if self._in_flight else self._take(urgent)

    def update(self, plan: Plan, leaving: Collection[int]) -> list[int]:
        """Moves the rows of a plan that stay to the next segment's pool.

        Args:
            plan: `Plan`, in flight.
            leaving: ids of its rows that leave.

        Returns:
            ids of those that go on, in the order of the plan. Rows that were
            removed meanwhile do not.
        """
        self._in_flight.remove(plan)
        gone = self._withdrawn.union(leaving).intersection(plan.row_ids)
        self._withdrawn -= gone
        for row_id in gone:
            del self._rows[row_id]
        stay = [row_id for row_id in plan.row_ids if row_id not in gone]
        for row_id in stay:
            self._wait(self._rows[row_id])
        return stay

    def expire(self, now: float) -> list[Plan]:
        """Takes out the rows that can no longer be answered in time.

        Those are rows past their deadline and, where seconds are known, those
        that would be after the least that can answer them.

        Returns:
            `Plan`s that are not to be run: a pool, and the rows that left it.
        """
        expired = [
            row_id
            for (segment, bucket), pool in self._pools.items()
            for row_id in self._hopeless(segment, bucket, pool, now)
        ]
        return self.remove(expired)

    def remove(self, row_ids: Iterable[int]) -> list[Plan]:
        """Takes out rows; those in flight leave with their launch.

        Args:
            row_ids: ints; those not inside are passed over.

        Returns:
            as of `expire`, for the rows that were waiting.
        """
        removed = defaultdict(list)
        for row_id in row_ids:
            row = self._rows.get(row_id)
            if row and self._stop_waiting(row):
                removed[row.segment, row.bucket].append(row_id)
                del self._rows[row_id]
            elif row:
                self._withdrawn.add(row_id)
        return [Plan(*pool, tuple(ids)) for pool, ids in removed.items()]

    def _can_wait(
        self, urgent: tuple[int, int], full: tuple[int, int], now: float
    ) -> bool:
        """Whether the earliest deadline allows a full pool to run before."""
        deadline = self._pools[urgent][0][0]
        launch = self.costs.launch_seconds(*full, self.max_batch_size)
        rest = self.costs.remaining_seconds(*urgent, 1, may_leave=False)
        return now + launch + SAFETY * rest <= deadline

    def _wait(self, row: OnlineRow) -> None:
        pool = self._pools.setdefault((row.segment, row.bucket), [])
        bisect.insort(pool, row.key)

    def _stop_waiting(self, row: OnlineRow) -> bool:
        """Whether it was waiting."""
        pool = self._pools.get((row.segment, row.bucket), [])
        place = bisect.bisect_left(pool, row.key)
        if pool[place : place + 1] != [row.key]:
            return False
        del pool[place]
        if not pool:
            del self._pools[row.segment, row.bucket]
        return True

    def _take(self, key: tuple[int, int]) -> Plan:
        pool = self._pools[key]
        taken = pool[: self.max_batch_size]
        del pool[: self.max_batch_size]
        if not pool:
            del self._pools[key]
        plan = Plan(*key, tuple(row_id for _, _, row_id in taken))
        for row_id in plan.row_ids:
            self._rows[row_id].segment += 1
        self._in_flight.append(plan)
        return plan

    def _hopeless(
        self, segment: int, bucket: int, pool: list, now: float
    ) -> list[int]:
        one = self.costs.launch_seconds(segment, bucket, 1)
        whole = self.costs.remaining_seconds(segment, bucket, 1, False)
        rows = []
        for deadline, _, row_id in pool:
            if deadline >= now + max(one, whole):
                break
            needed = one if self._rows[row_id].may_leave else whole
            if deadline < now + needed:
                rows.append(row_id)
        return rows
