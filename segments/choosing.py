"""Choice of a driver by its purpose: throughput or latency."""

from __future__ import annotations

from fastbert_tf import FastBertClassifier

from .backends.building import build_segments
from .driver import Driver
from .pooled_driver import PooledDriver
from .segment_plan import SegmentPlan
from .single_graph import SingleGraphDriver

PURPOSES = ("throughput", "latency")
AnyDriver = Driver | PooledDriver | SingleGraphDriver
# Batches that are encoded and answered in one call: rows of one length meet
# in them, and the last batches of a call, which are not full, are few.
_BATCHES_PER_CALL = 256


def for_latency(
    model: FastBertClassifier,
    precision: str = "float32",
    plan: SegmentPlan | None = None,
) -> SingleGraphDriver:
    """The driver that answers a row, or one batch, soonest.

    That is the single graph. A row alone took as long as with `Driver` at
    mean depths 1.5 and 3, and a tenth less at 6; batches of 8 and 32 were
    faster at every depth measured (BENCHMARKS.md).

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
    return SingleGraphDriver(model, precision, plan)


def for_throughput(
    model: FastBertClassifier,
    precision: str = "float32",
    max_batch_size: int = 32,
    plan: SegmentPlan | None = None,
) -> PooledDriver:
    """The driver that answers many rows soonest: full batches all the way.

    A few batches are answered sooner through `for_latency`: the last batch
    of every segment and length is not full.

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


def check_purpose(purpose: str) -> str:
    """`purpose` itself, if it is one of the two."""
    if purpose not in PURPOSES:
        raise ValueError(
            f"`purpose` must be one of {list(PURPOSES)}. Received: "
            f"purpose={purpose!r}."
        )
    return purpose


def for_purpose(
    purpose: str,
    model: FastBertClassifier,
    precision: str = "float32",
    max_batch_size: int = 32,
    plan: SegmentPlan | None = None,
) -> PooledDriver | SingleGraphDriver:
    """The driver of a purpose: `"throughput"` or `"latency"`."""
    if check_purpose(purpose) == "latency":
        return for_latency(model, precision, plan)
    return for_throughput(model, precision, max_batch_size, plan)


def rows_per_call_of(driver: AnyDriver, max_batch_size: int = 32) -> int:
    """Rows that are best given to a driver at once.

    Args:
        driver: of any kind.
        max_batch_size: int, for a driver that has none of its own.
    """
    if isinstance(driver, PooledDriver):
        return driver.max_batch_size * _BATCHES_PER_CALL
    return max_batch_size
