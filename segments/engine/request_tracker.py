"""Request lifecycle of `PooledEngine`: admission, progress, the end."""

from __future__ import annotations

import numpy as np

from ..scheduler import Plan
from .online_scheduler import FULL, OnlineScheduler
from .requests import (
    DeadlineExceeded,
    EngineAnswer,
    EngineStopped,
    Overloaded,
    Request,
    RowTable,
    SegmentFailed,
    SplitRows,
)

# Of a request that is not admitted; so soon the queue has moved.
LEAST_RETRY_SECONDS = 0.05


class RequestTracker:
    """Admits requests, moves their rows, and says how each ends.

    A request ends once: answered, when all its rows are; or with an error
    when the first of them cannot be, and its other rows are taken out. It
    knows ids, counts and times; tensors and threads are the engine's.

    Args:
        scheduler: `OnlineScheduler`.
        table: `RowTable`.
    """

    def __init__(self, scheduler: OnlineScheduler, table: RowTable) -> None:
        self.scheduler = scheduler
        self.table = table
        # Requests that ended and what they get, for the engine to tell.
        self.ended = []
        # Rows that left their pools, whose tensors are to be dropped.
        self.drops = []
        self.is_closed = False

    @property
    def has_work(self) -> bool:
        """Rows are inside, tensors to be dropped, or endings to be told."""
        return bool(self.scheduler.num_rows or self.drops or self.ended)

    def admit(self, request: Request, rows: SplitRows, now: float) -> None:
        """Lets a request in.

        Raises:
            Overloaded: it is refused, `EngineStopped` if it is closed.
        """
        if self.is_closed:
            raise EngineStopped()
        if not request.num_rows:
            self._end_answered(request)
            return
        given = (
            rows.buckets.tolist(),
            request.deadline,
            rows.may_leave.tolist(),
        )
        refusal = self.scheduler.refusal(*given, now=now)
        if request.num_rows > self.table.num_free:
            refusal = FULL
        if refusal:
            seconds = self.scheduler.backlog(now).seconds
            raise Overloaded(refusal, max(seconds, LEAST_RETRY_SECONDS))
        self.table.add(request, rows)
        self.scheduler.add(request.row_ids.tolist(), *given)

    def withdraw(self, request: Request) -> bool:
        """Takes a request out that was cancelled; False if it had ended."""
        if request.has_ended:
            return False
        self._end(request, None)
        return True

    def next_plan(self, now: float) -> Plan | None:
        """What to run next, once the rows that expired are taken out."""
        for plan in self.scheduler.expire(now):
            self._drop(plan)
            for row_id in plan.row_ids:
                request = self.table.requests[row_id]
                has_answer = self.table.answers.has(row_id)
                if not (request.keeps_deepest and has_answer):
                    self._row_ends(row_id, error=_expired(request))
                else:
                    self._row_ends(row_id, is_late=True)
        return self.scheduler.next_plan(now)

    def settle(self, plan: Plan, leaving: list[int], now: float) -> None:
        """Ends the rows of a plan that leave; the others wait again."""
        stay = self.scheduler.update(plan, leaving)
        gone = set(plan.row_ids).difference(stay)
        for row_id in gone.intersection(leaving):
            request = self.table.requests[row_id]
            is_late = now > request.deadline
            if is_late and not request.keeps_deepest:
                self._row_ends(row_id, error=_expired(request))
            else:
                self._row_ends(row_id, is_late)
        withdrawn = tuple(gone.difference(leaving))
        for row_id in withdrawn:
            self._row_ends(row_id)
        self._drop(Plan(plan.segment + 1, plan.bucket, withdrawn))

    def learn(self, plan: Plan, leaving: list[int], seconds: float) -> None:
        """Takes in what a launch took, and how many rows left."""
        costs = self.scheduler.costs
        row_ids = np.array(plan.row_ids)
        costs.observe(plan.segment, plan.bucket, len(row_ids), seconds)
        thresholds = self.table.thresholds[row_ids]
        may_leave = row_ids[np.any(thresholds > 0, axis=1)]
        stay = len(np.setdiff1d(may_leave, leaving))
        costs.observe_leaving(plan.segment, len(may_leave), stay)

    def fail(self, plan: Plan, name: str, cause: Exception) -> None:
        """Ends the requests with rows in a plan that raised."""
        self.scheduler.update(plan, plan.row_ids)
        self._drop(plan)
        for row_id in plan.row_ids:
            error = SegmentFailed(f"{name} raised {type(cause).__name__}.")
            error.__cause__ = cause
            self._row_ends(row_id, error=error)

    def close(self) -> None:
        """Admits no more; those inside go on."""
        self.is_closed = True

    def stop(self) -> None:
        """Ends every request that is left."""
        for request in set(filter(None, self.table.requests)):
            if not request.has_ended:
                self._end(request, EngineStopped())

    def _drop(self, plan: Plan) -> None:
        if plan.row_ids:
            self.drops.append(plan)

    def _row_ends(
        self,
        row_id: int,
        is_late: bool = False,
        error: Exception | None = None,
    ) -> None:
        """A row that the scheduler knows no more has ended."""
        request, place = self.table.requests[row_id], self.table.places[row_id]
        request.is_inside[place] = False
        if request.has_ended:
            self.table.free(np.array([row_id]))
        elif error is not None:
            self._end(request, error)
        else:
            request.is_late[place] = is_late
            if not request.is_inside.any():
                self._end_answered(request)

    def _end_answered(self, request: Request) -> None:
        result = self.table.answers.take(request.row_ids)
        self._end(request, EngineAnswer(result, request.is_late))

    def _end(
        self, request: Request, outcome: EngineAnswer | Exception | None
    ) -> None:
        """Ends a request; None is for one that nobody waits for."""
        request.has_ended = True
        inside = request.row_ids[request.is_inside].tolist()
        for plan in self.scheduler.remove(inside):
            self._drop(plan)
            places = self.table.places[list(plan.row_ids)]
            request.is_inside[places] = False
        # Those still inside are in flight, and free their places behind it.
        self.table.free(request.row_ids[~request.is_inside])
        if outcome is not None:
            self.ended.append((request, outcome))


def _expired(request: Request) -> DeadlineExceeded:
    seconds = request.deadline - request.start
    return DeadlineExceeded(
        f"The request was not answered in time. Received: a deadline of "
        f"{seconds:.3g} seconds. Allow more, or pass late='deepest' for the "
        "answer of the deepest exit asked."
    )
