"""`EngineWorker`: the thread that launches plans and ends requests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ..scheduler import Plan
from ..step import Step
from .executor import EngineExecutor
from .observer import EngineObserver
from .request_tracker import RequestTracker
from .requests import (
    DeadlineExceeded,
    EngineAnswer,
    EngineStopped,
    Request,
    SegmentFailed,
)

_DROPPED = {
    DeadlineExceeded: "expired",
    SegmentFailed: "failed",
    EngineStopped: "stopped",
}


class _Launch(NamedTuple):
    """A plan in flight: its step, and when it began."""

    plan: Plan
    step: Step
    start: float


class EngineWorker:
    """Launches plans, reads them, and tells requests how they ended.

    What a segment raises ends the requests of that batch, not the thread.

    Args:
        tracker: `RequestTracker`.
        executor: `EngineExecutor`, used by this thread alone.
        changed: `Condition`, held around the tracker; notified of new work.
        clock: function that gives seconds.
        observer: `EngineObserver`.
        max_in_flight: int, launches begun before the first is read.
    """

    def __init__(
        self,
        tracker: RequestTracker,
        executor: EngineExecutor,
        changed: threading.Condition,
        clock: Callable[[], float],
        observer: EngineObserver,
        max_in_flight: int,
    ) -> None:
        self._tracker = tracker
        self._executor = executor
        self._changed = changed
        self._clock = clock
        self._observer = observer
        self._max_in_flight = max_in_flight
        self._last_end = clock()

    def run(self) -> None:
        """Until the tracker is closed and nothing is left."""
        in_flight = deque()
        while self._wait_for_work():
            plan = self._next_plan()
            if plan is not None:
                self._launch(plan, in_flight)
            is_full = len(in_flight) == self._max_in_flight
            if in_flight and (plan is None or is_full):
                self._collect(in_flight.popleft())
            self.tell()

    def tell(self) -> None:
        """Gives the requests that ended what they get."""
        with self._changed:
            ended, self._tracker.ended = self._tracker.ended, []
        for request, outcome in ended:
            self._tell(request, outcome)

    def _tell(
        self, request: Request, outcome: EngineAnswer | Exception
    ) -> None:
        future, count = request.future, request.num_rows
        if not future.set_running_or_notify_cancel():
            self._observer.dropped("cancelled", count)
        elif isinstance(outcome, EngineAnswer):
            seconds = self._clock() - request.start
            is_on_time = not outcome.is_late.any()
            exits = outcome.result.exit_index
            self._observer.answered(exits, seconds, is_on_time)
            future.set_result(outcome)
        else:
            self._observer.dropped(_DROPPED[type(outcome)], count)
            future.set_exception(outcome)

    def _wait_for_work(self) -> bool:
        """False once there is none and none will come."""
        tracker = self._tracker
        with self._changed:
            self._changed.wait_for(
                lambda: tracker.has_work or tracker.is_closed
            )
            return tracker.has_work

    def _next_plan(self) -> Plan | None:
        with self._changed:
            plan = self._tracker.next_plan(self._clock())
            drops, self._tracker.drops = self._tracker.drops, []
        for dropped in drops:
            self._executor.drop(dropped)
        return plan

    def _launch(self, plan: Plan, in_flight: deque[_Launch]) -> None:
        size = self._tracker.scheduler.max_batch_size
        self._observer.launched(plan.segment, len(plan.row_ids), size)
        start = self._clock()
        try:
            step = self._executor.launch(plan)
        except Exception as error:
            self._fail(plan, error)
        else:
            in_flight.append(_Launch(plan, step, start))

    def _collect(self, launch: _Launch) -> None:
        plan, step, start = launch
        try:
            leaving = self._executor.collect(plan, step)
        except Exception as error:
            self._fail(plan, error)
            return
        now = self._clock()
        # A device that still had the launch before began with this one later.
        seconds = now - max(start, self._last_end)
        self._last_end = now
        with self._changed:
            self._tracker.settle(plan, leaving, now)
            self._tracker.learn(plan, leaving, seconds)

    def _fail(self, plan: Plan, error: Exception) -> None:
        segment = self._executor.segments[plan.segment]
        with self._changed:
            self._tracker.fail(plan, segment.name, error)
