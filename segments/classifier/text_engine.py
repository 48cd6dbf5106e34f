"""`TextEngine`: the online engine on texts, with deadlines."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np

from fastbert_tf import TextPreprocessor

from ..engine.pooled_engine import PooledEngine
from ..engine.requests import EngineAnswer
from .text_answers import TextAnswers
from .text_rows import TextRows


class TextEngine:
    """Answers texts of many threads together, each request by its deadline.

    It encodes texts on the thread that submits them and leaves the rest to a
    `PooledEngine`, whose options, errors and promises hold here.

    Args:
        engine: `PooledEngine`, not yet started.
        preprocessor: `TextPreprocessor` of the same model.
        labels, pairs, speed: as of `TextClassifier`.
        clock: function that gives seconds, the one of `engine`.

    Example:

    ```python
    with classifier.engine(max_enqueued_rows=256) as engine:
        engine.warm_up()
        future = engine.submit(["a fine film"], deadline_seconds=0.2)
        list(future.result())
    ```
    """

    def __init__(
        self,
        engine: PooledEngine,
        preprocessor: TextPreprocessor,
        labels: Sequence[str] | None = None,
        pairs: bool | None = None,
        speed: Any = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = engine
        self.preprocessor = preprocessor
        self.labels = labels
        self.pairs = pairs
        self.speed = speed
        self._clock = clock

    def __enter__(self) -> TextEngine:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the thread of the engine; once."""
        self.engine.start()

    def warm_up(self) -> None:
        """Runs all that texts may need, and learns what it takes."""
        if self.pairs is not True:
            self.preprocessor.encode([""])
        if self.pairs is not False:
            self.preprocessor.encode([""], [""])
        self.engine.warm_up(self.preprocessor.sequence_length)

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """As `PooledEngine.stop`: answers what is inside, then ends."""
        self.engine.stop(timeout_seconds)

    @property
    def is_ready(self) -> bool:
        """Warm, and taking requests."""
        return self.engine.is_ready

    @property
    def pool_sizes(self) -> list[int]:
        """Rows that wait now for each segment, in order."""
        return self.engine.pool_sizes

    @property
    def max_enqueued_rows(self) -> int:
        """Rows inside, and of one request, at most."""
        return self.engine.max_enqueued_rows

    def check_deadline(self, deadline_seconds: float | None) -> None:
        """As `PooledEngine.check_deadline`; `submit` asks it by itself."""
        self.engine.check_deadline(deadline_seconds)

    def submit(
        self,
        texts: Any,
        texts_b: Any = None,
        speed: Any = None,
        deadline_seconds: float | None = None,
        late: str = "error",
    ) -> Future[TextAnswers]:
        """Asks for answers to N texts or pairs of texts; any thread may.

        Args:
            texts, texts_b: as of `TextClassifier.predict`.
            speed: float in [0, 1], one value or `[N]`, or an `ExitRule`; the
                classifier's by default.
            deadline_seconds: float, from now, what encoding takes included;
                none if left out.
            late: str, `"error"` or `"deepest"`, as of `PooledEngine.submit`.

        Returns:
            `Future` of `TextAnswers`, with `is_late`. It raises as that of
            `PooledEngine.submit`; cancelling it takes the rows out.

        Raises:
            TypeError, ValueError: an argument is not as above, or there are
                more rows than `max_enqueued_rows`.
            Overloaded: the request is not admitted. Nothing was computed.
        """
        start = self._clock()
        rows = TextRows.of(texts, texts_b, self.pairs)
        if rows.num_rows > self.max_enqueued_rows:
            raise ValueError(
                f"A request must have at most {self.max_enqueued_rows} rows. "
                f"Received: {rows.num_rows}. Split it, or raise "
                "`max_enqueued_rows`."
            )
        if rows.num_rows:  # Encoding takes longer than refusing.
            self.engine.check_deadline(deadline_seconds)
        inputs, truncated = rows.encode(self.preprocessor)
        if deadline_seconds is not None:
            deadline_seconds -= self._clock() - start
        speed = self.speed if speed is None else speed
        answer = self.engine.submit(inputs, speed, deadline_seconds, late)
        return _then(answer, functools.partial(self._answers, truncated))

    def _answers(
        self, truncated: np.ndarray, answer: EngineAnswer
    ) -> TextAnswers:
        result, is_late = answer
        return TextAnswers(result, truncated, self.labels, is_late)


def _then(given: Future, convert: Callable[[Any], Any]) -> Future:
    """The future of what `convert` makes of a result.

    Errors and cancelling pass through, the latter both ways.
    """
    result = Future()

    def finish(given: Future) -> None:
        if given.cancelled():
            result.cancel()
        if not result.set_running_or_notify_cancel():
            return
        if error := given.exception():
            result.set_exception(error)
        else:
            result.set_result(convert(given.result()))

    result.add_done_callback(lambda x: x.cancelled() and given.cancel())
    given.add_done_callback(finish)
    return result
