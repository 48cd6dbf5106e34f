"""What is timed: our drivers, the same network at full depth, and others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
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

DRIVERS = (
    "driver",
    "pooled",
    "single graph",
    "driver on openvino",
    "pooled on openvino",
)
ON_OPENVINO = " on openvino"
FULL_DEPTH = "full depth, one graph"
KERAS = "full depth, keras predict"


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
        self, kind: str, batch_size: int, plan: SegmentPlan | None = None
    ) -> Any:
        """A driver by its name in `DRIVERS`."""
        if kind == "single graph":
            return SingleGraphDriver(self._model, self._precision, plan)
        segments = self.segments(plan, kind.endswith(ON_OPENVINO))
        if kind.startswith("pooled"):
            return PooledDriver(segments, batch_size)
        assert kind.startswith("driver")
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
    names: tuple[str, ...],
) -> dict[str, Callable[[], Any]]:
    """The same weights without early exit.

    Args:
        model: `FastBertClassifier`.
        precision: str.
        batches: `Batches`.
        batch_size: int, of `model.predict`.
        names: of `FULL_DEPTH`, `KERAS` and `static 3` (blocks); `FULL_DEPTH`
            is always there.
    """
    last = model.config.num_hidden_layers - 1
    runs = {
        FULL_DEPTH: static_run(build_static(model, last, precision), batches)
    }
    for name in names:
        kind, _, count = name.partition(" ")
        if name == KERAS:
            runs[name] = keras_run(model, batches, batch_size)
        elif kind == "static":
            cut_network = build_static(model, int(count) - 1, precision)
            runs[name] = static_run(cut_network, batches)
    return runs
