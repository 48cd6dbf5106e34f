"""A device with a clock of its own, and rows whose exits are known."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections import Counter, deque
from collections.abc import Sequence

from fastbert_tf.segments import CostTable
from fastbert_tf.segments.costs import SegmentCost
from fastbert_tf.segments.engine.launch_costs import LaunchCosts
from fastbert_tf.segments.engine.online_scheduler import OnlineScheduler
from fastbert_tf.segments.scheduler import Plan

ANSWERED, EXPIRED, CANCELLED, FAILED, REFUSED = (
    "answered",
    "expired",
    "cancelled",
    "failed",
    "refused",
)
# Seconds of a launch, and of each of its rows.
FIXED, PER_ROW = 0.5, 0.25


@dataclasses.dataclass(frozen=True)
class Arrival:
    """A row that asks to come in."""

    time: float
    deadline: float
    exit_index: int
    bucket: int = 8
    cancelled_at: float = math.inf


def launch_seconds(num_rows: int) -> float:
    return FIXED + PER_ROW * num_rows


def known_costs(
    num_segments: int, buckets: Sequence[int], max_batch_size: int
) -> LaunchCosts:
    """Costs of the simulated device, as a warm-up would find them."""
    sizes = itertools.product(
        range(num_segments), buckets, sorted({1, max_batch_size})
    )
    table = [
        SegmentCost(segment, length, rows, None, launch_seconds(rows))
        for segment, length, rows in sizes
    ]
    return LaunchCosts(num_segments, CostTable(table).line)


class Simulation:
    """Plays arrivals to a scheduler, and checks it at every step.

    Args:
        scheduler: `OnlineScheduler`.
        arrivals: list of `Arrival`; a row's id is its place there.
        fails: share of launches that raise.
        max_in_flight: launches begun before the first is read.
    """

    def __init__(
        self,
        scheduler: OnlineScheduler,
        arrivals: Sequence[Arrival],
        fails: float = 0.0,
        max_in_flight: int = 1,
    ) -> None:
        self.scheduler = scheduler
        self.arrivals = arrivals
        self.now = 0.0
        self.outcomes = {}
        self.ended_at = {}
        self.waiting = {}  # Row to the pool it waits in.
        self.launches = Counter()
        self._fails = fails
        self._max_in_flight = max_in_flight
        self._rng = random.Random(len(arrivals))
        cancelled = [
            (x.cancelled_at, i, False)
            for i, x in enumerate(arrivals)
            if x.cancelled_at < math.inf
        ]
        come = [(x.time, i, True) for i, x in enumerate(arrivals)]
        self._events = deque(sorted([*come, *cancelled]))

    def run(self) -> Simulation:
        in_flight = deque()
        while True:
            self._pass_until(self.now)
            for plan in self.scheduler.expire(self.now):
                self._take_out(plan, EXPIRED)
            plan = self._checked_plan(bool(in_flight))
            if plan is not None:
                in_flight.append(plan)
            if in_flight and (
                plan is None or len(in_flight) == self._max_in_flight
            ):
                self._collect(in_flight.popleft())
            elif plan is None:
                # Never idle with work waiting.
                assert not self.waiting
                if not self._events:
                    return self
                self.now = max(self.now, self._events[0][0])

    def _checked_plan(self, is_busy: bool) -> Plan | None:
        pools = Counter(self.waiting.values())
        assert self.scheduler.num_waiting == len(self.waiting)
        sizes = [0] * self.scheduler.num_segments
        for (segment, _), count in pools.items():
            sizes[segment] += count
        assert self.scheduler.pool_sizes == sizes
        size = self.scheduler.max_batch_size
        full = [pool for pool in pools if pools[pool] >= size]
        plan = self.scheduler.next_plan(self.now)
        if plan is None:
            assert not full
            assert is_busy or not pools
            return None
        self._check(plan, pools, full, is_busy)
        for row in plan.row_ids:
            del self.waiting[row]
        return plan

    def _check(
        self, plan: Plan, pools: Counter, full: list, is_busy: bool
    ) -> None:
        pool = plan.segment, plan.bucket
        size = self.scheduler.max_batch_size
        assert len(plan.row_ids) == min(size, pools[pool])
        deadlines = [self.arrivals[row].deadline for row in plan.row_ids]
        assert deadlines == sorted(deadlines)
        waiting = {
            row: self.arrivals[row].deadline
            for row in self.waiting
            if row not in plan.row_ids
        }
        beside = [waiting[x] for x in waiting if self.waiting[x] == pool]
        assert deadlines[-1] <= min(beside, default=math.inf)
        if pool in full and plan.segment == max(full)[0]:
            return
        # Else the earliest deadline; before full pools if it cannot wait.
        assert deadlines[0] <= min(waiting.values(), default=math.inf)
        if full:
            rest = self.scheduler.num_segments - plan.segment
            needed = launch_seconds(size) + 2 * rest * launch_seconds(1)
            assert deadlines[0] < self.now + needed
        else:
            assert not is_busy

    def _collect(self, plan: Plan) -> None:
        self.launches[plan.segment] += 1
        self._pass_until(self.now + launch_seconds(len(plan.row_ids)))
        has_failed = self._rng.random() < self._fails
        leaving = [
            row
            for row in plan.row_ids
            if has_failed or self.arrivals[row].exit_index == plan.segment
        ]
        stay = self.scheduler.update(plan, leaving)
        for row in plan.row_ids:
            if row in stay:
                self.waiting[row] = plan.segment + 1, plan.bucket
            elif row not in self.outcomes:
                assert row in leaving
                self._end(row, FAILED if has_failed else ANSWERED)
        if not has_failed:
            count = len(plan.row_ids)
            seconds = launch_seconds(count)
            costs = self.scheduler.costs
            costs.observe(plan.segment, plan.bucket, count, seconds)
            staying = count - len(leaving)
            costs.observe_leaving(plan.segment, count, staying)

    def _pass_until(self, time: float) -> None:
        """What happens meanwhile."""
        while self._events and self._events[0][0] <= time:
            self.now, row, is_arrival = self._events.popleft()
            if is_arrival:
                self._arrive(row)
            elif row not in self.outcomes:
                self.outcomes[row] = CANCELLED
                for plan in self.scheduler.remove([row]):
                    self._take_out(plan, None)
        self.now = time

    def _arrive(self, row: int) -> None:
        x = self.arrivals[row]
        given = [x.bucket], x.deadline, [True]
        refusal = self.scheduler.refusal(*given, now=self.now)
        hopeless = self.scheduler.backlog(self.now).is_hopeless(x.deadline)
        assert refusal or not hopeless
        if refusal:
            self._end(row, REFUSED)
            return
        self.scheduler.add([row], *given)
        self.waiting[row] = 0, x.bucket
        assert self.scheduler.num_rows <= self.scheduler.max_enqueued_rows

    def _take_out(self, plan: Plan, outcome: str | None) -> None:
        for row in plan.row_ids:
            assert self.waiting.pop(row) == (plan.segment, plan.bucket)
            if outcome:
                self._end(row, outcome)

    def _end(self, row: int, outcome: str) -> None:
        assert row not in self.outcomes
        self.outcomes[row] = outcome
        self.ended_at[row] = self.now

    def on_time(self) -> float:
        """Share of the rows let in that were answered by their deadline."""
        inside = [r for r, x in self.outcomes.items() if x != REFUSED]
        good = [
            row
            for row in inside
            if self.outcomes[row] == ANSWERED
            and self.ended_at[row] <= self.arrivals[row].deadline
        ]
        return len(good) / len(inside)
