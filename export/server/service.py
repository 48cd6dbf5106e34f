"""`Service`: answers queries of one model, within their deadlines."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from fastbert_tf.segments import TextAnswers, TextClassifier, TextEngine
from fastbert_tf.segments.engine import (
    DeadlineExceeded,
    Overloaded,
    SegmentFailed,
)

from .errors import RequestError, log_failure, overloaded
from .explaining import explain
from .limits import Limits
from .metrics import Metrics
from .query import Query
from .reply import Columns, columns
from .workers import Workers

_SECONDS_TO_WARM = 5


class Service:
    """Answers queries of one model.

    `workers` are the threads on which bodies are parsed and texts encoded.

    Args:
        classifier: `TextClassifier`.
        engine: `TextEngine` of the classifier.
        metrics: `Metrics`, the engine's observer.
        limits: `Limits`.
        name: str, of the model, that clients ask for.
        clock: function that gives seconds, of arrivals and deadlines.

    Raises:
        ValueError: `name` does not fit into a path.
    """

    version = "1"

    def __init__(
        self,
        classifier: TextClassifier,
        engine: TextEngine,
        metrics: Metrics,
        limits: Limits,
        name: str = "fastbert",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            raise ValueError(
                "A model's name must be letters, digits and the signs . _ -. "
                f"Received: {name!r}. Pass another --model_name."
            )
        self.classifier = classifier
        self.engine = engine
        self.metrics = metrics
        self.limits = limits
        self.name = name
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
            future = await self.workers.call(self._submit, query, arrived)
            answers = await asyncio.wrap_future(future)
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
        return columns(answers)

    async def explain(self, query: Query) -> dict[str, Any]:
        """What every exit says of one text; see `explain`."""
        return await self._explainers.call(explain, self.classifier, query)

    def stop(self) -> None:
        """Answers what is inside, and ends the threads."""
        self.engine.stop(self.limits.drain_seconds)
        self.workers.stop()
        self._explainers.stop()

    def _submit(self, query: Query, arrived: float) -> Future[TextAnswers]:
        limit = self.limits.max_enqueued_rows
        if len(query.texts) > limit:
            raise RequestError(
                413,
                f"A request may have {limit} rows at most. Received: "
                f"{len(query.texts)}. Send them in parts.",
            )
        query.check_pairs(self.classifier.pairs)
        left = self._seconds_left(query, arrived)
        given = query.texts, query.pairs, query.speed
        return self.engine.submit(*given, left, query.late)

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


def _expired() -> RequestError:
    return RequestError(504, "The deadline passed before an answer.")
