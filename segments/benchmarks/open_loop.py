"""Open loop: rows are sent to an engine when they are meant to be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future

import numpy as np

from ..buckets import cut
from ..pooled_engine import EngineAnswer, Overloaded, PooledEngine
from ..segment_plan import SegmentPlan
from .variants import Builder
from .workload import Setting, Workload

# The same engine, but for what runs together and which exits there are.
ENGINES = ("engine", "engine by rows", "engine at full depth")


def check_engines(scenario: str, drivers: tuple[str, ...]) -> None:
    """Refuses engines among the drivers of a scenario without deadlines."""
    if scenario != "server" and set(drivers) & set(ENGINES):
        raise ValueError(
            f"--scenario={scenario} has no engines. Received: drivers="
            f"{drivers}. Pass --scenario=server, or drivers alone."
        )


def build_engine(
    kind: str, builder: Builder, num_layers: int, max_batch_size: int
) -> PooledEngine:
    """An engine by its name in `ENGINES`; neither started nor warm.

    Args:
        kind: str. `"engine by rows"` runs a row at a time, so that no
            pool is of use; `"engine at full depth"` is one graph without
            early exit, which takes the rows that wait.
        builder: `Builder`.
        num_layers: int, blocks.
        max_batch_size: int.
    """
    assert kind in ENGINES
    plan = None
    if kind == "engine at full depth":
        plan = SegmentPlan.teacher_only(num_layers)
    if kind == "engine by rows":
        max_batch_size = 1
    return PooledEngine(builder.segments(plan), max_batch_size)


class OpenLoop:
    """Sends the rows of a workload at a setting to an engine.

    Args:
        engine: `PooledEngine`, warm.
        workload: `Workload`.
        setting: `Setting`.
        deadline_seconds: float, from the intended arrival.
        clock, sleep: of seconds.
    """

    def __init__(
        self,
        engine: PooledEngine,
        workload: Workload,
        setting: Setting,
        deadline_seconds: float,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._engine = engine
        self._speeds = np.broadcast_to(setting.speed, [workload.num_rows])
        self._rows = _single_rows(workload)
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._sleep = sleep

    def play(self, arrivals: np.ndarray) -> np.ndarray:
        """Seconds from each intended arrival to its answer.

        Args:
            arrivals: float `[N]`, seconds from the start, rising.

        Returns:
            float `[N]`, infinite for those refused or given up.
        """
        seconds = np.full(len(arrivals), np.inf)
        num_inside, is_done = 0, threading.Semaphore(0)
        start = self._clock()
        for i, arrival in enumerate(arrivals.tolist()):
            due = start + arrival
            if (early := due - self._clock()) > 0:
                self._sleep(early)

            def done(future: Future, i: int = i, due: float = due) -> None:
                if future.exception() is None:
                    seconds[i] = self._clock() - due
                is_done.release()

            future = self._submit(i % len(self._rows), due)
            if future is not None:
                future.add_done_callback(done)
                num_inside += 1
        for _ in range(num_inside):
            is_done.acquire()
        return seconds

    def _submit(self, row: int, due: float) -> Future[EngineAnswer] | None:
        left = due + self._deadline_seconds - self._clock()
        try:
            return self._engine.submit(self._rows[row], self._speeds[row], left)
        except Overloaded:
            return None


def _single_rows(workload: Workload) -> list[Mapping[str, np.ndarray]]:
    """Each row as a request of its own, at its own length."""
    return [
        cut(workload.inputs, int(length), np.array([row]))
        for row, length in enumerate(workload.trace.lengths)
    ]
