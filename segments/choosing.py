"""The driver for the purpose, as `fastbert-benchmark` measured them."""

from __future__ import annotations

from fastbert_tf import FastBertClassifier

from .building import build_segments
from .driver import Driver
from .pooled_driver import PooledDriver
from .segment_plan import SegmentPlan


def for_latency(
    model: FastBertClassifier,
    precision: str = "float32",
    plan: SegmentPlan | None = None,
) -> Driver:
    """The driver that answers a row alone soonest.

    That is the segments one by one. `SingleGraphDriver` saves their dispatch
    and pays for its conditions: on a row alone the two measured the same.

    Args:
        model: `FastBertClassifier`.
        precision: str, `"float32"` or `"bfloat16"`.
        plan: `SegmentPlan`, the exits that are asked; all by default.

    Example:

    ```python
    driver = for_latency(model)
    driver.predict(preprocessor(["a text"]), speed=0.5)
    ```
    """
    return Driver(build_segments(model, precision, plan))


def for_throughput(
    model: FastBertClassifier,
    precision: str = "float32",
    max_batch_size: int = 32,
    plan: SegmentPlan | None = None,
) -> PooledDriver:
    """The driver that answers many rows soonest: full batches all the way.

    Args:
        model: `FastBertClassifier`.
        precision: str, `"float32"` or `"bfloat16"`.
        max_batch_size: int, rows that run together.
        plan: `SegmentPlan`, the exits that are asked; all by default.

    Example:

    ```python
    driver = for_throughput(model)
    driver.predict(preprocessor(texts), speed=0.5)
    ```
    """
    segments = build_segments(model, precision, plan)
    return PooledDriver(segments, max_batch_size)
