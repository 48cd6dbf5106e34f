"""`PooledEngine`: answers requests of any thread over shared pools."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import tensorflow as tf

from ..buckets import all_buckets
from ..costs import CostTable, measured_costs
from ..scheduler import MAX_IN_FLIGHT
from ..segment import Segment
from ..step import check_segments
from .executor import EngineExecutor
from .launch_costs import LaunchCosts
from .observer import EngineObserver, check_observer
from .online_scheduler import DEADLINE, OnlineScheduler
from .request_tracker import LEAST_RETRY_SECONDS, RequestTracker
from .requests import (
    Overloaded,
    Request,
    RowTable,
    SplitRows,
    new_request,
)
from .worker import EngineWorker

# So long a look at the work inside is good for those still outside.
_BACKLOG_SECONDS = 0.01


class PooledEngine:
    """Answers requests of many threads together, each by its deadline.

    Rows wait in a pool per segment and length bucket, those of different
    requests together; one thread runs the segments. What a row is answered
    depends on nothing but the row: each is padded to the bucket of its own
    length. `OnlineScheduler` says which pool runs next. A request is refused
    at once if there is no room, or if it would not be answered in time: seconds
    are known from `warm_up` on.

    Args:
        segments: list of `Segment` in order, from `build_segments` or
            `load_segments`.
        max_batch_size: int, rows that run together.
        max_enqueued_rows: int, rows inside at most, however deep they go. The
            memory that their hidden states take is bounded by it.
        observer: `EngineObserver`, told what happens; nobody by default.
        clock: function that gives seconds, of the deadlines.
        max_in_flight: int, launches begun before the first is read. By
            default 2 on a GPU, which computes meanwhile, and 1 elsewhere.

    Example:

    ```python
    with PooledEngine(build_segments(model)) as engine:
        engine.warm_up()
        future = engine.submit(preprocessor(["a text"]), 0.5, 0.2)
        future.result().result.labels
    ```
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        max_batch_size: int = 32,
        max_enqueued_rows: int = 1024,
        observer: EngineObserver | None = None,
        clock: Callable[[], float] = time.monotonic,
        max_in_flight: int | None = None,
    ) -> None:
        self.segments = check_segments(segments)
        self.config = self.segments[0].config
        self.max_batch_size = max_batch_size
        self.max_enqueued_rows = max_enqueued_rows
        self._observer = check_observer(observer or EngineObserver())
        self._clock = clock
        if max_in_flight is None:
            has_gpu = tf.config.list_physical_devices("GPU")
            max_in_flight = MAX_IN_FLIGHT if has_gpu else 1
        num_segments = len(self.segments)
        self._costs = LaunchCosts(num_segments)
        scheduler = OnlineScheduler(
            num_segments, max_batch_size, max_enqueued_rows, self._costs
        )
        table = RowTable(max_enqueued_rows, self.config)
        self._tracker = RequestTracker(scheduler, table)
        self._changed = threading.Condition()  # Held around the tracker.
        self._worker = EngineWorker(
            self._tracker,
            EngineExecutor(self.segments, table),
            self._changed,
            clock,
            self._observer,
            max_in_flight,
        )
        self._thread = threading.Thread(
            target=self._worker.run, name="PooledEngine", daemon=True
        )
        self._is_warm = False
        self._backlog = None

    def __enter__(self) -> PooledEngine:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the thread; once."""
        self._thread.start()

    def warm_up(self, sequence_length: int | None = None) -> None:
        """Runs every segment and length bucket, and learns what they take.

        Args:
            sequence_length: int, tokens of the longest row that will come;
                all the positions of the model by default.
        """
        num_positions = self.config.max_position_embeddings
        buckets = all_buckets(sequence_length or num_positions, num_positions)
        sizes = sorted({1, self.max_batch_size})
        costs = measured_costs(self.segments, buckets, sizes, 1, self._clock)
        table = CostTable(list(costs))
        with self._changed:
            self._costs.use(table.line)
        self._is_warm = True

    @property
    def is_ready(self) -> bool:
        """Warm, and taking requests."""
        is_open = self._thread.is_alive() and not self._tracker.is_closed
        return self._is_warm and is_open

    @property
    def pool_sizes(self) -> list[int]:
        """Rows that wait now for each segment, in order."""
        with self._changed:
            return self._tracker.scheduler.pool_sizes

    def check_deadline(self, deadline_seconds: float | None) -> None:
        """Refuses what the work inside leaves no time for, whatever it is.

        It is for callers who have yet to make inputs of a request, which
        under overload would take most of their time. What is inside is looked
        at now and then; `submit` decides.

        Args:
            deadline_seconds: float, from now; None is never refused.

        Raises:
            Overloaded: `submit` would refuse one row or more of that deadline.
        """
        if deadline_seconds is None:
            return
        now = self._clock()
        with self._changed:
            backlog = self._backlog
            if backlog is None or now > backlog.now + _BACKLOG_SECONDS:
                backlog = self._tracker.scheduler.backlog(now)
                self._backlog = backlog
        if backlog.is_hopeless(now + deadline_seconds):
            seconds = max(backlog.seconds, LEAST_RETRY_SECONDS)
            refusal = Overloaded(DEADLINE, seconds)
            self._observer.rejected(refusal.reason)
            raise refusal

    def submit(
        self,
        inputs: Mapping[str, Any],
        speed: Any,
        deadline_seconds: float | None = None,
        late: str = "error",
    ) -> Future:
        """Asks for answers to B rows; any thread may.

        Args:
            inputs: dict of integer `[B, S]`: `token_ids`, `token_type_ids`,
                `padding_mask`; B may be 0.
            speed: float in [0, 1], one value or `[B]`.
            deadline_seconds: float, from now; none if left out.
            late: str. With `"error"` a request not answered in time fails
                with `DeadlineExceeded`. With `"deepest"` a row that would be
                late gets the answer of the deepest exit asked so far; only a
                request with a row that asked none fails.

        Returns:
            `Future` of an `EngineAnswer`. It raises `DeadlineExceeded`,
            `SegmentFailed` or `EngineStopped`; if one row cannot be
            answered, none of its request is. Cancelling it takes the rows
            out, at any time before the answer.

        Raises:
            TypeError, ValueError: an argument is not as above, or B is above
                `max_enqueued_rows`.
            Overloaded: the request is not admitted. Nothing was computed.
        """
        rows = SplitRows.of(inputs, speed, self.config)
        num_rows = len(rows.buckets)
        if num_rows > self.max_enqueued_rows:
            raise ValueError(
                f"A request must have at most {self.max_enqueued_rows} rows. "
                f"Received: {num_rows}. Split it, or raise "
                "`max_enqueued_rows`."
            )
        now = self._clock()
        request = new_request(num_rows, now, deadline_seconds, late)
        try:
            with self._changed:
                self._tracker.admit(request, rows, now)
                self._changed.notify()
        except Overloaded as refusal:
            self._observer.rejected(refusal.reason)
            raise
        withdraw = functools.partial(self._withdraw_cancelled, request)
        request.future.add_done_callback(withdraw)
        return request.future

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Admits no more, answers those inside, and ends the thread.

        Args:
            timeout_seconds: float; requests that are not answered by then
                fail with `EngineStopped`.
        """
        with self._changed:
            self._tracker.close()
            self._changed.notify()
        self._join(timeout_seconds)
        with self._changed:
            self._tracker.stop()
            self._changed.notify()
        self._worker.tell()
        self._join(timeout_seconds)

    def _join(self, timeout_seconds: float) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def _withdraw_cancelled(self, request: Request, future: Future) -> None:
        if not future.cancelled():
            return
        with self._changed:
            is_withdrawn = self._tracker.withdraw(request)
            self._changed.notify()
        if is_withdrawn:
            future.set_running_or_notify_cancel()
            self._observer.dropped("cancelled", request.num_rows)
