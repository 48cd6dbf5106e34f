"""An engine in the manner of `TextEngine` that does as it is told."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from fastbert_tf.segments import TextAnswers, TextClassifier

# Seconds after which a test fails that waits for something; none takes them.
FOREVER = 120.0


class FakeEngine:
    """Answers by a classifier, one request after another.

    Args:
        classifier: `TextClassifier`.
        observer: as of `PooledEngine`.

    `is_open` is an event that answers wait for; `error`, if not None, is what
    every request gets; `late` is what `is_late` is. `submitted` keeps what
    came.
    """

    def __init__(self, classifier: TextClassifier, observer: Any) -> None:
        self.pool_sizes = [0] * len(classifier.driver.segments)
        self.is_ready = False
        self.is_stopped = False
        self.is_open = threading.Event()
        self.is_open.set()
        self.error = None
        self.late = False
        self.submitted = []
        self.futures = []
        self._classifier = classifier
        self._observer = observer
        self._executor = ThreadPoolExecutor(1)

    def start(self) -> None:
        assert not self.is_stopped

    def warm_up(self) -> None:
        self.is_open.wait(FOREVER)
        self.is_ready = True

    def stop(self, timeout_seconds: float) -> None:
        self._executor.shutdown(wait=True)
        self.is_stopped = True

    def submit(
        self,
        texts: Any,
        texts_b: Any = None,
        speed: Any = None,
        deadline_seconds: float | None = None,
        late: str = "error",
    ) -> Future[TextAnswers]:
        if self.error is not None:
            raise self.error
        self.submitted.append((texts, speed, deadline_seconds, late))
        future = Future()
        self.futures.append(future)
        self._executor.submit(self._answer, future, texts, texts_b, speed)
        return future

    def _answer(self, future: Future, *asked: Any) -> None:
        self.is_open.wait(FOREVER)
        if not future.set_running_or_notify_cancel():
            return
        answers = self._classifier.predict(*asked)
        is_late = np.full(len(answers), self.late)
        self._observer.launched(0, len(answers), 32)
        self._observer.answered(answers.exit_index, 0.001, not self.late)
        future.set_result(dataclasses.replace(answers, is_late=is_late))
