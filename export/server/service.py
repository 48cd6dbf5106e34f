"""From what a request asks to what it is answered, with the engine behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from fastbert_tf.segments.engine import (
    DeadlineExceeded,
    Overloaded,
    PooledEngine,
    SegmentFailed,
)

from .errors import RequestError, log_failure, overloaded
from .explaining import explain
from .limits import Limits
from .metrics import Metrics
from .query import Query
from .reply import Columns, columns
from .served_model import ServedModel
from .workers import Workers

_SECONDS_TO_WARM = 5


class Service:
    """Answers queries of one model.

    Args:
        model: `ServedModel`.
        engine: `PooledEngine` over the same segments.
        metrics: `Metrics`, the engine's observer.
        limits: `Limits`.
        clock: function that gives seconds, of arrivals and deadlines.

    `workers` are the threads on which bodies are parsed and texts encoded.
    """

    def __init__(
        self,
        model: ServedModel,
        engine: PooledEngine,
        metrics: Metrics,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self.engine = engine
        self.metrics = metrics
        self.limits = limits
        self.clock = clock
        self.is_draining = False
        waiting = limits.max_waiting_requests
        self.workers = Workers(2, waiting, "encode")
        self._explainers = Workers(1, 4, "explain")
        metrics.watch_pools(lambda: engine.pool_sizes)

    @property
    def state(self) -> str:
        """`LOADING`, `AVAILABLE` or `UNLOADING`."""
        if self.is_draining:
            return "UNLOADING"
        return "AVAILABLE" if self.engine.is_ready else "LOADING"

    @property
    def is_ready(self) -> bool:
        """Warm, and not about to leave."""
        return self.state == "AVAILABLE"

    def check_warm(self) -> None:
        """Refuses requests before the engine is warm."""
        if not self.engine.is_ready:
            raise overloaded("The model is not warm yet.", _SECONDS_TO_WARM)

    async def answer(self, query: Query, arrived: float) -> Columns:
        """The outputs of every row of a query.

        If the caller is cancelled, the rows leave the engine.

        Args:
            query: `Query`.
            arrived: float, when the request came, by `clock`.

        Raises:
            RequestError: it gets no answer.
        """
        try:
            inputs, truncated = await self.workers.call(
                self._encode, query, arrived
            )
            speed = query.speed
            if speed is None:
                speed = self.model.manifest.usage.speed
            left = self._seconds_left(query, arrived)
            future = self.engine.submit(inputs, speed, left, query.late)
            answer = await asyncio.wrap_future(future)
        except Overloaded as error:
            raise overloaded(
                "The server has more to do than it can.",
                error.retry_after_seconds,
            ) from error
        except DeadlineExceeded as error:
            raise _expired() from error
        except SegmentFailed as error:
            log_failure(error.__cause__ or error)
            raise RequestError(500, "A segment failed on the rows.") from error
        names = self.model.label_names
        return columns(answer.result, answer.is_late, truncated, names)

    async def explain(self, query: Query) -> dict[str, Any]:
        """What every exit says of one text; see `explain`."""
        return await self._explainers.call(explain, self.model, query)

    def warm_up(self) -> None:
        """Runs all that requests may need."""
        preprocessor = self.model.preprocessor
        pairs = self.model.manifest.usage.pairs
        if pairs is not True:
            preprocessor.encode([""])
        if pairs is not False:
            preprocessor.encode([""], [""])
        self.engine.warm_up(preprocessor.sequence_length)

    def stop(self) -> None:
        """Answers what is inside, and ends the threads."""
        self.engine.stop(self.limits.drain_seconds)
        self.workers.stop()
        self._explainers.stop()

    def _seconds_left(self, query: Query, arrived: float) -> float | None:
        """Until the deadline, if there is one; refuses one that passed."""
        left = query.deadline_seconds
        if left is None:
            left = self.limits.deadline_seconds
        if left is None:
            return None
        left -= self.clock() - arrived
        if left <= 0:
            self.metrics.rejected("deadline")
            raise _expired()
        return left

    def _encode(
        self, query: Query, arrived: float
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        limit = self.limits.max_enqueued_rows
        if len(query.texts) > limit:
            raise RequestError(
                413,
                f"A request may have {limit} rows at most. Received: "
                f"{len(query.texts)}. Send them in parts.",
            )
        # Encoding takes longer than refusing, and is for nothing then.
        self.engine.check_deadline(self._seconds_left(query, arrived))
        return self.model.encode(query)


def _expired() -> RequestError:
    return RequestError(504, "The deadline passed before an answer.")
