"""The variants that benchmarks compare: drivers, engines and baselines."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from fastbert_tf import ExitResult, FastBertClassifier

from ..backends.building import build_segments, build_static
from ..backends.openvino_segments import build_openvino_segments
from ..buckets import bucket_lengths, cut, row_lengths
from ..driver import Driver
from ..pooled_driver import PooledDriver
from ..segment import Segment
from ..segment_plan import SegmentPlan
from ..single_graph import SingleGraphDriver

Inputs = Mapping[str, np.ndarray]


class Kind(enum.StrEnum):
    """What answers the rows of a variant."""

    DRIVER = "driver"
    POOLED = "pooled"
    SINGLE_GRAPH = "single graph"
    ENGINE = "engine"
    FULL_DEPTH = "full depth, one graph"
    KERAS = "full depth, keras predict"
    STATIC = "static"


@dataclasses.dataclass(frozen=True)
class Variant:
    """One thing that is measured.

    Args:
        kind: `Kind`.
        blocks: int, of a `STATIC` network, cut after so many.
        by_rows: bool, an `ENGINE` that runs a row at a time, so that no pool
            is of use.
        at_full_depth: bool, an `ENGINE` of one graph without early exit.
        on_openvino: bool, whose segments OpenVINO runs.
        is_planned: bool, which asks only the exits that `plan_segments`
            chooses for a speed.
    """

    kind: Kind
    blocks: int | None = None
    by_rows: bool = False
    at_full_depth: bool = False
    on_openvino: bool = False
    is_planned: bool = False

    @property
    def name(self) -> str:
        """What records call it: `pooled on openvino`, `static 3`."""
        blocks = "" if self.blocks is None else f" {self.blocks}"
        details = {
            " by rows": self.by_rows,
            " at full depth": self.at_full_depth,
            " on openvino": self.on_openvino,
            ", planned": self.is_planned,
        }
        return f"{self.kind}{blocks}" + "".join(filter(details.get, details))


DRIVERS = (
    Variant(Kind.DRIVER),
    Variant(Kind.POOLED),
    Variant(Kind.SINGLE_GRAPH),
    Variant(Kind.DRIVER, on_openvino=True),
    Variant(Kind.POOLED, on_openvino=True),
)
# The same engine, but for what runs together and which exits there are.
ENGINES = (
    Variant(Kind.ENGINE),
    Variant(Kind.ENGINE, by_rows=True),
    Variant(Kind.ENGINE, at_full_depth=True),
    Variant(Kind.ENGINE, on_openvino=True),
)
FULL_DEPTH = Variant(Kind.FULL_DEPTH)
KERAS = Variant(Kind.KERAS)


@dataclasses.dataclass(frozen=True)
class Batches:
    """Rows in batches of one length bucket each, the same for everybody.

    Args:
        rows: list of int `[B]`, row numbers of each batch.
        inputs: list of dicts of int32 `[B, S]`.
    """

    rows: list[np.ndarray]
    inputs: list[Inputs]

    @classmethod
    def of(cls, inputs: Inputs, batch_size: int, longest: int) -> Batches:
        """All rows, shortest bucket first."""
        lengths = bucket_lengths(row_lengths(inputs["padding_mask"]), longest)
        rows, batches = [], []
        for length in np.unique(lengths):
            mine = np.flatnonzero(lengths == length)
            for part in np.split(
                mine, range(batch_size, len(mine), batch_size)
            ):
                rows.append(part)
                batches.append(cut(inputs, int(length), part))
        return cls(rows, batches)

    def __iter__(self) -> Iterator[tuple[np.ndarray, Inputs]]:
        return zip(self.rows, self.inputs, strict=True)


class Builder:
    """Builds drivers of one model, which share the segments they can.

    Args:
        model: `FastBertClassifier`.
        precision: str.
    """

    def __init__(self, model: FastBertClassifier, precision: str) -> None:
        self._model = model
        self._precision = precision
        self._segments = {}

    def segments(
        self, plan: SegmentPlan | None = None, openvino: bool = False
    ) -> list[Segment]:
        """The segments of a plan, built once."""
        if (plan, openvino) not in self._segments:
            build = build_openvino_segments if openvino else build_segments
            self._segments[plan, openvino] = build(
                self._model, self._precision, plan
            )
        return self._segments[plan, openvino]

    def driver(
        self, variant: Variant, batch_size: int, plan: SegmentPlan | None = None
    ) -> Any:
        """The driver of a variant of such a kind, `DRIVER` or another."""
        if variant.kind is Kind.SINGLE_GRAPH:
            return SingleGraphDriver(self._model, self._precision, plan)
        segments = self.segments(plan, variant.on_openvino)
        if variant.kind is Kind.POOLED:
            return PooledDriver(segments, batch_size)
        assert variant.kind is Kind.DRIVER
        return Driver(segments)


def answer_all(
    driver: Any, inputs: Inputs, batches: Batches, speed: Any
) -> ExitResult:
    """All rows once through a driver, in the order of `inputs`.

    A `PooledDriver` gets them at once; the others batch by batch.
    """
    if isinstance(driver, PooledDriver):
        return driver.predict(inputs, speed)
    speeds = np.broadcast_to(np.asarray(speed), [len(inputs["token_ids"])])
    results = [driver.predict(x, speeds[rows]) for rows, x in batches]
    order = np.argsort(np.concatenate(batches.rows))
    return ExitResult.concatenate(results).take(order)


def static_run(segment: Segment, batches: Batches) -> Callable[[], Any]:
    """All batches through a network cut at one exit."""

    def run() -> None:
        for inputs in batches.inputs:
            segment.run(inputs)["logits"].numpy()

    return run


def keras_run(
    model: keras.Model, batches: Batches, batch_size: int
) -> Callable[[], Any]:
    """All rows through `model.predict`, one call a length bucket."""
    buckets = {}
    for inputs in batches.inputs:
        length = inputs["token_ids"].shape[1]
        buckets.setdefault(length, []).append(inputs)
    joined = [
        {name: np.concatenate([x[name] for x in parts]) for name in parts[0]}
        for parts in buckets.values()
    ]

    def run() -> None:
        for inputs in joined:
            model.predict(inputs, batch_size=batch_size, verbose=0)

    return run


def baseline_runs(
    model: FastBertClassifier,
    precision: str,
    batches: Batches,
    batch_size: int,
    baselines: Sequence[Variant],
) -> dict[Variant, Callable[[], Any]]:
    """The same weights without early exit.

    Args:
        model: `FastBertClassifier`.
        precision: str.
        batches: `Batches`.
        batch_size: int, of `model.predict`.
        baselines: `FULL_DEPTH`, `KERAS` and `STATIC` variants.
    """
    depth = model.config.num_hidden_layers
    runs = {}
    for variant in baselines:
        if variant == KERAS:
            runs[variant] = keras_run(model, batches, batch_size)
            continue
        exit_index = (variant.blocks or depth) - 1
        segment = build_static(model, exit_index, precision)
        runs[variant] = static_run(segment, batches)
    return runs
