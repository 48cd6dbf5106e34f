"""What Prometheus reads."""

import types
from typing import Any

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from fastbert_tf.export.server.metrics import Metrics


def segments(*names: str) -> list[Any]:
    """All that is asked of segments here."""
    return [
        types.SimpleNamespace(name=name, index=int(name[-1])) for name in names
    ]


def values(metrics: Metrics) -> dict[tuple, float]:
    """Name and label values to value."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name.removeprefix("fastbert_"), *sample.labels.values()): (
            sample.value
        )
        for family in families
        for sample in family.samples
    }


def test_batches_and_their_fill_are_counted() -> None:
    metrics = Metrics(segments("M0", "M1-M3"))
    metrics.launched(1, 8, 32)
    metrics.launched(1, 32, 32)
    seen = values(metrics)
    assert seen["batches_total", "M1-M3"] == 2
    assert seen["batch_rows_total", "M1-M3"] == 40
    assert seen["batch_fill_ratio_bucket", "0.25"] == 1
    assert seen["batch_fill_ratio_count",] == 2


def test_answers_are_counted_by_exit_and_time() -> None:
    metrics = Metrics(segments("M0", "M1"))
    metrics.answered(np.array([1, 1, 0]), 0.02, True)
    metrics.answered(np.array([1, 0]), 0.2, False)
    seen = values(metrics)
    assert (seen["exits_total", "0"], seen["exits_total", "1"]) == (2, 3)
    assert (seen["rows_total", "true"], seen["rows_total", "false"]) == (3, 2)
    assert seen["answer_seconds_bucket", "0.025"] == 1


def test_rejects_and_responses_are_counted() -> None:
    metrics = Metrics(segments("M0"))
    metrics.rejected("full")
    metrics.dropped("expired", 3)
    metrics.responded("infer", 503)
    seen = values(metrics)
    assert seen["rejects_total", "full"] == 1
    assert seen["dropped_rows_total", "expired"] == 3
    assert seen["http_responses_total", "infer", "503"] == 1


def test_pools_are_read_when_they_are_asked_for() -> None:
    sizes = [3, 0]
    metrics = Metrics(segments("M0", "M1"))
    metrics.watch_pools(lambda: sizes)
    assert values(metrics)["pool_rows", "M0"] == 3
    sizes[1] = 5
    assert values(metrics)["pool_rows", "M1"] == 5
