"""The `single_stream` scenario: latency of one row after another."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..backends.building import build_static
from ..timing import timed
from .options import BenchmarkOptions
from .peers import build_peer
from .variants import FULL_DEPTH, Batches, Builder, Inputs
from .workload import Setting, Workload


@dataclasses.dataclass(frozen=True)
class SingleStreamRecord:
    """Latency of one variant at one setting, each row alone.

    Args:
        workload, precision: of the run.
        variant: str, what was timed.
        setting: str.
        num_rows: int.
        accuracy, mean_depth, flops_speedup, exit_histogram: as of `Setting`,
            by the float32 trace.
        mean_ms, p50_ms, p90_ms, p99_ms: float, milliseconds a row.
        time_speedup: float, mean of `FULL_DEPTH` over this mean; the rows
            of both were run in turn.
    """

    workload: str
    precision: str
    variant: str
    setting: str
    num_rows: int
    accuracy: float | None
    mean_depth: float | None
    flops_speedup: float | None
    exit_histogram: list[int] | None
    mean_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    time_speedup: float
    scenario: str = "single_stream"


def run_single_stream(
    workload: Workload,
    settings: Sequence[Setting],
    options: BenchmarkOptions,
) -> Iterator[SingleStreamRecord]:
    """Times every variant on every row, in turn.

    Args:
        workload: `Workload`.
        settings: list of `Setting` of the workload.
        options: `BenchmarkOptions` of one precision; its batch sizes have no
            part in this.
    """
    model = workload.model
    last = model.config.num_hidden_layers - 1
    static = build_static(model, last, options.precision)
    runs = {
        (FULL_DEPTH.name, "full depth"): lambda x, row: static.run(x)[
            "logits"
        ].numpy()
    }
    for name in options.peers:
        runs[name, "full depth"] = _peer_run(build_peer(name, model))
    about = dict.fromkeys(runs, workload.cut_at(last))
    builder = Builder(model, options.precision)
    for variant in options.drivers:
        driver = builder.driver(variant, batch_size=1)
        for setting in settings:
            name = variant.name, setting.name
            runs[name] = _driver_run(driver, setting)
            about[name] = setting
    seconds = _times(runs, workload)
    baseline = np.mean(seconds[FULL_DEPTH.name, "full depth"])
    for name, times in seconds.items():
        values = [getattr(about[name], x) for x in _OF_SETTING]
        p50, p90, p99 = np.percentile(times, [50, 90, 99]) * 1e3
        yield SingleStreamRecord(
            workload.name, options.precision, *name, len(times), *values,
            float(np.mean(times) * 1e3), p50, p90, p99,
            float(baseline / np.mean(times)),
        )  # fmt: skip


_OF_SETTING = ("accuracy", "mean_depth", "flops_speedup", "exit_histogram")


def _peer_run(peer: Callable[[Inputs], Any]) -> Callable[[Inputs, int], Any]:
    return lambda inputs, row: peer(inputs)


def _driver_run(driver: Any, setting: Setting) -> Callable[[Inputs, int], Any]:
    speeds = np.broadcast_to(setting.speed, [len(setting.exit_index)])
    return lambda inputs, row: driver.predict(inputs, speeds[row])


def _times(
    runs: dict[Any, Callable[[Inputs, int], Any]], workload: Workload
) -> dict[Any, list[float]]:
    """Seconds of every row, the second time.

    A length that a segment has not seen yet takes several times as long.
    """
    longest = workload.model.config.max_position_embeddings
    batches = list(Batches.of(workload.inputs, 1, longest))
    seconds = {name: [] for name in runs}
    for run in runs.values():
        for rows, inputs in batches:
            run(inputs, int(rows[0]))
    for rows, inputs in batches:
        for name, run in runs.items():
            call = functools.partial(run, inputs, int(rows[0]))
            seconds[name].append(timed(call))
    return seconds
