"""Prometheus metrics of the server and its engine; no text is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric

from fastbert_tf.segments import Segment
from fastbert_tf.segments.engine import EngineObserver

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SHARES = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1)

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics(EngineObserver):
    """The counters of one server, and the observer of its engine.

    The share on time is `rows_total{on_time="true"}` by that, those that are
    not, and `dropped_rows_total{reason="expired"}`. Methods may be called
    from any thread.

    Args:
        segments: list of `Segment`, those of the engine.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._registry = CollectorRegistry()
        self._segment_names = [segment.name for segment in segments]
        self._batches = self._counter(
            "batches", "Batches that ran, by segment.", "segment"
        )
        self._batch_rows = self._counter(
            "batch_rows", "Rows in the batches that ran.", "segment"
        )
        self._fill = self._histogram(
            "batch_fill_ratio", "Rows of a batch by its largest size.", _SHARES
        )
        self._exits = self._counter(
            "exits", "Rows answered, by the exit that did.", "exit_index"
        )
        self._rows = self._counter(
            "rows",
            "Rows answered, by whether their request was in time.",
            "on_time",
        )
        self._seconds = self._histogram(
            "answer_seconds", "Seconds from submission to answer.", _SECONDS
        )
        self._rejects = self._counter(
            "rejects", "Requests that were not admitted.", "reason"
        )
        self._dropped = self._counter(
            "dropped_rows", "Rows admitted and not answered.", "reason"
        )
        self._responses = self._counter(
            "http_responses", "Responses, by route.", "route", "status"
        )
        for segment in segments:
            self._exits.labels(segment.index)
        for on_time in ("true", "false"):
            self._rows.labels(on_time)

    def launched(
        self, segment_index: int, num_rows: int, max_batch_size: int
    ) -> None:
        """A batch ran."""
        name = self._segment_names[segment_index]
        self._batches.labels(name).inc()
        self._batch_rows.labels(name).inc(num_rows)
        self._fill.observe(num_rows / max_batch_size)

    def answered(
        self, exit_index: np.ndarray, seconds: float, is_on_time: bool
    ) -> None:
        """A request was answered.

        Args:
            exit_index: int `[B]`.
            seconds: float, since it was submitted.
            is_on_time: bool, none of its rows is late.
        """
        numbers, counts = np.unique(exit_index, return_counts=True)
        for number, count in zip(numbers, counts, strict=True):
            self._exits.labels(int(number)).inc(int(count))
        on_time = "true" if is_on_time else "false"
        self._rows.labels(on_time).inc(len(exit_index))
        self._seconds.observe(seconds)

    def dropped(self, reason: str, num_rows: int) -> None:
        """An admitted request ended without an answer."""
        self._dropped.labels(reason).inc(num_rows)

    def rejected(self, reason: str) -> None:
        """A request was not admitted."""
        self._rejects.labels(reason).inc()

    def responded(self, route: str, status: int) -> None:
        """A response went out."""
        self._responses.labels(route, status).inc()

    def watch_pools(self, sizes: Callable[[], Sequence[int]]) -> None:
        """Asks `sizes`, rows that wait for each segment, at every scrape."""
        self._registry.register(_Pools(self._segment_names, sizes))

    def render(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        name = f"fastbert_{name}"
        return Counter(name, help_, labels, registry=self._registry)

    def _histogram(
        self, name: str, help_: str, buckets: Sequence[float]
    ) -> Histogram:
        return Histogram(
            f"fastbert_{name}", help_, buckets=buckets, registry=self._registry
        )


class _Pools:
    """Rows per pool, read when they are asked for."""

    def __init__(
        self, names: Sequence[str], sizes: Callable[[], Sequence[int]]
    ) -> None:
        self._names = names
        self._sizes = sizes

    def collect(self) -> Iterator[Metric]:
        """In the manner of `prometheus_client`'s collectors."""
        family = GaugeMetricFamily(
            "fastbert_pool_rows",
            "Rows that wait, by segment.",
            None,
            ["segment"],
        )
        for name, size in zip(self._names, self._sizes(), strict=True):
            family.add_metric([name], size)
        yield family
