"""`Scheduler`: which pool of rows runs next, when all rows are there.

Decisions are made on ids and counts alone; whoever executes them is injected.
The rule is: the deepest full pool first; where none is full, the shallowest,
and then only once nothing more can come into it. Every segment i so runs
ceil(n_i / B) times a bucket, the least there is, n_i being the rows of that
bucket that reach it and B `max_batch_size`.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

# Launches whose survivors are not known yet. With two, the device has the
# next one to run while the host reads which rows of the last one stay.
MAX_IN_FLIGHT = 2


@dataclasses.dataclass(frozen=True)
class Plan:
    """One scheduling decision: rows of one pool, to be run together.

    Args:
        segment: int, place of the segment in the list, 0 the first.
        bucket: int, padded length of the rows in tokens.
        row_ids: tuple of int, in the order they wait in the pool.
    """

    segment: int
    bucket: int
    row_ids: tuple[int, ...]


class Executor(Protocol):
    """What runs the plans; `PooledDriver` has one on TensorFlow."""

    def launch(self, plan: Plan) -> Any:
        """Starts a plan; a device that can returns before it is done."""

    def collect(self, plan: Plan, handle: Any) -> Sequence[bool]:
        """Waits for a plan: for each of its rows, whether it leaves."""


def check_sizes(**sizes: int) -> None:
    """Refuses a size, by name, that is not a whole number of 1 or more."""
    for name, value in sizes.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be a whole number, 1 or more. Received: "
                f"{name}={value!r}. Pass 32 for example."
            )


class _Bucket:
    """The pools of one length, the first those of rows yet to start."""

    def __init__(self, num_segments: int) -> None:
        self.pools = [deque() for _ in range(num_segments)]
        self.num_in_flight = 0

    @property
    def has_begun(self) -> bool:
        return bool(self.num_in_flight or any(self.pools[1:]))

    def deepest_full(self, max_batch_size: int) -> int | None:
        for segment in range(len(self.pools) - 1, 0, -1):
            if len(self.pools[segment]) >= max_batch_size:
                return segment
        return None

    def shallowest(self) -> int | None:
        waiting = (i for i, pool in enumerate(self.pools) if pool)
        return next(waiting, None)


class Scheduler:
    """Pools of waiting rows, one per segment and bucket.

    A bucket that has begun is finished before the next one is: the rows that
    wait inside the network are those of one bucket (of two while launches
    are in flight), at most `(L - 1) * (B - 1) + MAX_IN_FLIGHT * B` of each.

    Args:
        num_segments: int, L.
        max_batch_size: int, B, rows of one launch.
    """

    def __init__(self, num_segments: int, max_batch_size: int) -> None:
        check_sizes(num_segments=num_segments, max_batch_size=max_batch_size)
        self.num_segments = num_segments
        self.max_batch_size = max_batch_size
        self._buckets = {}
        self._begun = {}  # Those with rows inside, in the order they began.
        self.is_closed = False

    def add(self, bucket: int, row_ids: Sequence[int]) -> None:
        """Lets rows wait for the first segment."""
        assert not self.is_closed
        if len(row_ids):
            if bucket not in self._buckets:
                self._buckets[bucket] = _Bucket(self.num_segments)
            self._buckets[bucket].pools[0].extend(row_ids)

    def close(self) -> None:
        """Says that no more rows come, so that what is left may drain."""
        self.is_closed = True

    @property
    def num_waiting(self) -> int:
        """Rows inside the network that wait for their next segment."""
        return sum(
            len(pool)
            for bucket in self._begun.values()
            for pool in bucket.pools[1:]
        )

    def next_plan(self) -> Plan | None:
        """The next launch; None while there is nothing that may run.

        That is so at the end, before `close` when no pool is full, and while
        a launch in flight may still fill the pool that would be next.
        """
        return self._full() or self._draining() or self._starting()

    def update(self, plan: Plan, leaves: Sequence[bool]) -> None:
        """Moves the rows of a plan that stay to the next segment's pool."""
        assert len(leaves) == len(plan.row_ids)
        bucket = self._buckets[plan.bucket]
        bucket.num_in_flight -= 1
        stay = [
            row
            for row, leaves_now in zip(plan.row_ids, leaves, strict=True)
            if not leaves_now
        ]
        if stay:
            bucket.pools[plan.segment + 1].extend(stay)
        if not bucket.has_begun:
            del self._begun[plan.bucket]
            if not bucket.pools[0]:
                del self._buckets[plan.bucket]

    def _full(self) -> Plan | None:
        """The deepest full pool inside the network."""
        best, where = 0, None
        for length, bucket in self._begun.items():
            segment = bucket.deepest_full(self.max_batch_size)
            # Of equals the bucket that came first.
            if segment is not None and segment > best:
                best, where = segment, length
        return None if where is None else self._take(where, best)

    def _draining(self) -> Plan | None:
        """What is left of a bucket whose rows have all started."""
        if not self.is_closed:
            return None
        for length, bucket in self._begun.items():
            if not (bucket.num_in_flight or bucket.pools[0]):
                return self._take(length, bucket.shallowest())
        return None

    def _starting(self) -> Plan | None:
        """Rows that have not started, of the bucket that came first."""
        for length, bucket in self._buckets.items():
            num_rows = len(bucket.pools[0])
            if num_rows >= (1 if self.is_closed else self.max_batch_size):
                return self._take(length, 0)
        return None

    def _take(self, length: int, segment: int) -> Plan:
        bucket = self._buckets[length]
        pool = bucket.pools[segment]
        count = min(len(pool), self.max_batch_size)
        bucket.num_in_flight += 1
        self._begun[length] = bucket
        return Plan(
            segment, length, tuple(pool.popleft() for _ in range(count))
        )


def run_to_end(scheduler: Scheduler, executor: Executor) -> None:
    """Runs plans until no row is left; the scheduler must be closed.

    The next plan is launched before the last one's survivors are read. What
    the executor raises ends the run; rows of other runs are not touched.
    """
    assert scheduler.is_closed
    in_flight = deque()
    while True:
        plan = scheduler.next_plan()
        if plan is not None:
            in_flight.append((plan, executor.launch(plan)))
        elif not in_flight:
            return
        if plan is None or len(in_flight) == MAX_IN_FLIGHT:
            done, handle = in_flight.popleft()
            scheduler.update(done, executor.collect(done, handle))
