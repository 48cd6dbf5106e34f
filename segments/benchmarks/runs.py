"""The scenarios of `fastbert-benchmark`, from options to records."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..backends.building import build_segments
from ..costs import measure_costs
from ..pooled_driver import PooledDriver
from .endurance import run_endurance
from .loadgen_runs import run_loadgen_scenarios
from .offline import run_offline
from .open_loop import check_engines
from .options import BenchmarkOptions
from .precisions import run_precision
from .records import as_fields
from .server import run_server
from .shapes import run_shapes
from .single_stream import run_single_stream
from .workload import Setting, Workload, forced_workload, trained_workload

Records = list[dict[str, Any]]


def run_benchmark(
    scenario: str, options: BenchmarkOptions
) -> Iterator[Records]:
    """The records of a scenario, a list for each table.

    Args:
        scenario: str, of `SCENARIOS`.
        options: `BenchmarkOptions`.

    Raises:
        ValueError: the options do not fit each other.
    """
    wants_speeds = scenario not in ("full_depth", "cost_table", "offline")
    if wants_speeds and not (options.speeds or options.mean_depths):
        raise ValueError(
            f"--scenario={scenario} needs speeds. Received: none. Pass "
            "--speeds=0.5, or --mean_depths=3, for example."
        )
    check_engines(scenario, options.drivers)
    if options.urls and scenario not in ("server", "loadgen"):
        raise ValueError(
            f"--scenario={scenario} asks no servers. Received: urls="
            f"{options.urls}. Pass --scenario=server, or loadgen."
        )
    for records in SCENARIOS[scenario](options):
        yield [as_fields(record) for record in records]


def build_workload(options: BenchmarkOptions) -> tuple[Workload, list[Setting]]:
    """The rows, and the settings they are run at."""
    if options.model_dir is None:
        options.check_sizes(options.config)
        lengths = np.full(options.num_rows, 64)
        workload = forced_workload(options.config, lengths)
        settings = _forced_settings(workload, options.mean_depths)
    else:
        workload, settings = _trained_settings(options)
    names = [setting.name for setting in settings]
    if len(set(names)) < len(names):
        raise ValueError(
            f"Speeds and depths must differ. Received: {names}. Leave out "
            "those that come to the same."
        )
    return workload, settings


def _trained_settings(
    options: BenchmarkOptions,
) -> tuple[Workload, list[Setting]]:
    trained = trained_workload(
        options.model_dir, options.test_path, options.num_rows
    )
    options.check_sizes(trained.model.config)
    settings = [trained.at_speed(speed) for speed in options.speeds]
    settings += [trained.at_depth(depth) for depth in options.mean_depths]
    if not options.random_weights:
        return trained, settings
    forced = forced_workload(options.config, trained.trace.lengths)
    histograms = [setting.exit_histogram for setting in settings]
    return forced, [forced.at_histogram(counts) for counts in histograms]


def _forced_settings(
    workload: Workload, mean_depths: tuple[float, ...]
) -> list[Setting]:
    """Rows at the two whole numbers of blocks around each mean."""
    settings = []
    for depth in mean_depths:
        shares = np.zeros(workload.trace.num_exits)
        below = min(int(depth), len(shares) - 1)
        shares[below - 1], shares[below] = 1 - depth + below, depth - below
        settings.append(workload.at_histogram(shares))
    return settings


def _offline(options: BenchmarkOptions) -> Iterator[Any]:
    workload, settings = build_workload(options)
    for one in options.each_size():
        yield run_offline(workload, settings, one)


def _single_stream(options: BenchmarkOptions) -> Iterator[Any]:
    workload, settings = build_workload(options)
    for one in options.each_precision():
        yield run_single_stream(workload, settings, one)


def _server(options: BenchmarkOptions) -> Iterator[Any]:
    workload, settings = build_workload(options)
    for one in options.each_size():
        yield run_server(workload, settings, one)


def _full_depth(options: BenchmarkOptions) -> Iterator[Any]:
    workload, _ = build_workload(dataclasses.replace(options, num_rows=1))
    for one in options.each_precision():
        yield run_shapes(workload.model, one)


def _cost_table(options: BenchmarkOptions) -> Iterator[Any]:
    workload, _ = build_workload(dataclasses.replace(options, num_rows=1))
    for precision in options.precisions:
        segments = build_segments(workload.model, precision)
        yield measure_costs(
            segments, options.lengths, options.batch_sizes, options.num_rounds
        ).costs


def _precision(options: BenchmarkOptions) -> Iterator[Any]:
    workload, settings = build_workload(options)
    yield run_precision(workload, settings)


def _endurance(options: BenchmarkOptions) -> Iterator[Any]:
    workload, settings = build_workload(options)
    for one in options.each_size():
        segments = build_segments(workload.model, one.precision)
        driver = PooledDriver(segments, one.batch_size)
        for setting in settings:
            yield run_endurance(
                driver,
                workload,
                setting,
                (options.num_rows, 10 * options.num_rows),
                options.num_rounds,
            )


def _loadgen(options: BenchmarkOptions) -> Iterator[Any]:
    workload, settings = build_workload(options)
    for one in options.each_size():
        yield run_loadgen_scenarios(workload, settings, one)


SCENARIOS: dict[str, Callable[[BenchmarkOptions], Iterator[Any]]] = {
    "offline": _offline,
    "single_stream": _single_stream,
    "server": _server,
    "full_depth": _full_depth,
    "cost_table": _cost_table,
    "precision": _precision,
    "endurance": _endurance,
    "loadgen": _loadgen,
}
