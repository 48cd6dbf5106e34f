"""Systems under test of LoadGen: direct, batching, and a thread a row."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from fastbert_tf import INVALID_LABEL

# Row numbers to their labels.
Predict = Callable[[np.ndarray], np.ndarray]


class DirectSystem:
    """Answers a query on the spot, all its rows in one call.

    After an error it answers on, without predicting: LoadGen waits for every
    row, and must see no exception.
    """

    def __init__(self, loadgen: Any, predict: Predict) -> None:
        self.error: BaseException | None = None
        self._loadgen = loadgen
        self._predict = predict

    def __enter__(self) -> DirectSystem:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def issue(self, queries: Sequence[Any]) -> None:
        """LoadGen asks for rows."""
        self._answer([(query.id, query.index) for query in queries])

    def flush(self) -> None:
        """LoadGen has asked for everything; nothing is held back anyway."""

    def _answer(self, queries: Sequence[tuple[int, int]]) -> None:
        labels = self._labels(np.array([row for _, row in queries], np.int64))
        start, size = labels.ctypes.data, labels.itemsize
        response = self._loadgen.QuerySampleResponse
        responses = [
            response(query_id, start + size * i, size)
            for i, (query_id, _) in enumerate(queries)
        ]
        self._loadgen.QuerySamplesComplete(responses)
        del labels  # LoadGen has read them, and not before.

    def _labels(self, rows: np.ndarray) -> np.ndarray:
        """int32 `[B]`; of no meaning after an error."""
        if self.error is None:
            try:
                return self._predicted_labels(rows)
            except BaseException as error:
                self.error = error
        return np.full(len(rows), INVALID_LABEL, np.int32)

    def _predicted_labels(self, rows: np.ndarray) -> np.ndarray:
        labels = self._predict(rows)
        if len(labels) != len(rows):
            raise ValueError(
                "`predict` must answer every row. Received: "
                f"{len(labels)} answers to {len(rows)} rows. Return one each."
            )
        return np.ascontiguousarray(labels, np.int32)


class BatchingSystem(DirectSystem):
    """Answers in a thread of its own, whatever waits, together."""

    def __init__(
        self, loadgen: Any, predict: Predict, max_batch_size: int
    ) -> None:
        super().__init__(loadgen, predict)
        self._max_batch_size = max_batch_size
        self._waiting = collections.deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._worker = threading.Thread(target=self._work)

    def __enter__(self) -> DirectSystem:
        self._worker.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._worker.join()

    def issue(self, queries: Sequence[Any]) -> None:
        with self._changed:
            self._waiting += [(query.id, query.index) for query in queries]
            self._changed.notify()

    def _work(self) -> None:
        while queries := self._next_queries():
            self._answer(queries)

    def _next_queries(self) -> list[tuple[int, int]]:
        """Waits for some; none when all is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            count = min(len(self._waiting), self._max_batch_size)
            return [self._waiting.popleft() for _ in range(count)]


class ConcurrentSystem(DirectSystem):
    """Answers every row in a thread, as many at once as there are threads."""

    def __init__(
        self, loadgen: Any, predict: Predict, num_threads: int
    ) -> None:
        super().__init__(loadgen, predict)
        self._threads = ThreadPoolExecutor(num_threads, "LoadGen")

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown()

    def issue(self, queries: Sequence[Any]) -> None:
        for query in queries:
            self._threads.submit(self._answer, [(query.id, query.index)])
