"""An open-loop client: sends rows at their times, to an engine or server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from ..buckets import cut
from ..engine import (
    DeadlineExceeded,
    EngineAnswer,
    Overloaded,
    PooledEngine,
)
from ..segment_plan import SegmentPlan
from .http_model import HttpModel, Refused
from .variants import Builder, Kind, Variant
from .workload import Setting, Workload


def check_engines(scenario: str, drivers: Sequence[Variant]) -> None:
    """Refuses engines among the drivers of a scenario without deadlines."""
    if scenario != "server" and any(x.kind is Kind.ENGINE for x in drivers):
        raise ValueError(
            f"--scenario={scenario} has no engines. Received: drivers="
            f"{[x.name for x in drivers]}. Pass --scenario=server, or drivers "
            "alone."
        )


def build_engine(
    variant: Variant, builder: Builder, num_layers: int, max_batch_size: int
) -> PooledEngine:
    """The engine of a variant, neither started nor warm.

    Args:
        variant: `Variant` of kind `ENGINE`.
        builder: `Builder`.
        num_layers: int, blocks.
        max_batch_size: int.
    """
    assert variant.kind is Kind.ENGINE
    plan = None
    if variant.at_full_depth:
        plan = SegmentPlan.teacher_only(num_layers)
    segments = builder.segments(plan, variant.on_openvino)
    return PooledEngine(segments, 1 if variant.by_rows else max_batch_size)


_GIVEN_UP = (DeadlineExceeded, Overloaded, Refused)
# A row and its seconds left to a future; None if it is refused.
Submit = Callable[[int, float], Future[Any] | None]


class OpenLoop:
    """Sends the rows of a workload when they are meant to be sent.

    Args:
        submit: function of a row number and its seconds to the deadline,
            that gives a future, or None for a row refused at once.
        num_rows: int; arrival k sends row `k % num_rows`.
        deadline_seconds: float, from the intended arrival.
        clock, sleep: of seconds.
    """

    def __init__(
        self,
        submit: Submit,
        num_rows: int,
        deadline_seconds: float,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._submit = submit
        self._num_rows = num_rows
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._sleep = sleep

    def play(self, arrivals: np.ndarray) -> np.ndarray:
        """Seconds from each intended arrival to its answer.

        Args:
            arrivals: float `[N]`, seconds from the start, rising.

        Returns:
            float `[N]`, infinite for those refused or given up.

        Raises:
            Exception: the first that a row ended with otherwise.
        """
        seconds, failures = np.full(len(arrivals), np.inf), []
        num_inside, is_done = 0, threading.Semaphore(0)
        start = self._clock()
        for i, arrival in enumerate(arrivals.tolist()):
            due = start + arrival
            if (early := due - self._clock()) > 0:
                self._sleep(early)

            def done(future: Future, i: int = i, due: float = due) -> None:
                error = future.exception()
                if error is None:
                    seconds[i] = self._clock() - due
                elif not isinstance(error, _GIVEN_UP):
                    failures.append(error)
                is_done.release()

            left = due + self._deadline_seconds - self._clock()
            future = self._submit(i % self._num_rows, left)
            if future is not None:
                future.add_done_callback(done)
                num_inside += 1
        for _ in range(num_inside):
            is_done.acquire()
        if failures:
            raise failures[0]
        return seconds


def to_engine(
    engine: PooledEngine, workload: Workload, setting: Setting
) -> Submit:
    """Submits the rows of a workload to a warm engine, at their speeds."""
    speeds = np.broadcast_to(setting.speed, [workload.num_rows])
    rows = [
        cut(workload.inputs, int(length), np.array([row]))
        for row, length in enumerate(workload.trace.lengths)
    ]

    def submit(row: int, left: float) -> Future[EngineAnswer] | None:
        try:
            return engine.submit(rows[row], speeds[row], left)
        except Overloaded:
            return None

    return submit


def to_server(model: HttpModel, workload: Workload, setting: Setting) -> Submit:
    """Posts the rows of a workload to a server, at their speeds.

    The threads of `model` wait for the answers; a row that finds them all
    taken waits for one, and its deadline does not wait.
    """
    speeds = np.broadcast_to(setting.speed, [workload.num_rows]).tolist()

    def submit(row: int, left: float) -> Future[Any]:
        return model.submit(row, speeds[row], left)

    return submit
