"""An engine in the manner of `PooledEngine` that does as it is told."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from fastbert_tf.segments import Driver, Segment
from fastbert_tf.segments.engine.pooled_engine import EngineAnswer

# Seconds after which a test fails that waits for something; none takes them.
FOREVER = 120.0


class FakeEngine:
    """Answers by a `Driver`, one request after another.

    Args:
        segments: list of `Segment`.
        observer: as of `PooledEngine`.

    `is_open` is an event that answers wait for; `error`, if not None, is what
    every request gets; `hopeless`, what deadlines get; `late`, what `is_late`
    is. `submitted` keeps what came.
    """

    def __init__(self, segments: Sequence[Segment], observer: Any) -> None:
        self.pool_sizes = [0] * len(segments)
        self.is_ready = False
        self.is_stopped = False
        self.is_open = threading.Event()
        self.is_open.set()
        self.error = None
        self.late = False
        self.hopeless = None
        self.warmed_length = None
        self.submitted = []
        self.futures = []
        self._driver = Driver(segments)
        self._observer = observer
        self._executor = ThreadPoolExecutor(1)

    def start(self) -> None:
        assert not self.is_stopped

    def warm_up(self, sequence_length: int) -> None:
        self.warmed_length = sequence_length
        self.is_open.wait(FOREVER)
        self.is_ready = True

    def stop(self, timeout_seconds: float) -> None:
        self._executor.shutdown(wait=True)
        self.is_stopped = True

    def check_deadline(self, deadline_seconds: float | None) -> None:
        if self.hopeless is not None:
            raise self.hopeless

    def submit(
        self,
        inputs: Mapping[str, np.ndarray],
        speed: Any,
        deadline_seconds: float | None = None,
        late: str = "error",
    ) -> Future[EngineAnswer]:
        if self.error is not None:
            raise self.error
        self.submitted.append((inputs, speed, deadline_seconds, late))
        future = Future()
        self.futures.append(future)
        self._executor.submit(self._answer, future, inputs, speed)
        return future

    def _answer(self, future: Future, inputs: Any, speed: Any) -> None:
        self.is_open.wait(FOREVER)
        if not future.set_running_or_notify_cancel():
            return
        result = self._driver.predict(inputs, speed)
        is_late = np.full(len(result), self.late)
        self._observer.launched(0, len(result), 32)
        self._observer.answered(result.exit_index, 0.001, not self.late)
        future.set_result(EngineAnswer(result, is_late))
