"""The `loadgen` scenario: drivers and servers under MLPerf's LoadGen."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..buckets import cut
from ..choosing import AnyDriver
from ..timing import time_in_turn
from .http_model import HttpModel
from .loadgen import LoadgenSettings, run_loadgen
from .loadgen_systems import Predict
from .options import BenchmarkOptions
from .variants import Builder, Kind, Variant
from .workload import Setting, Workload

# The driver meant for it: rows at once are pooled, a row alone is not.
_DRIVERS = {
    "offline": Variant(Kind.POOLED),
    "single_stream": Variant(Kind.DRIVER),
    "server": Variant(Kind.DRIVER),
}
# Of what the pooled driver reaches: the server's load, and for the others as
# many rows as LoadGen must prepare so as not to run out of them.
_SHARES = {"offline": 1.3, "single_stream": 1.0, "server": 0.5}
_HTTP_SHARE = 0.25
_NUM_CONNECTIONS = 64


@dataclasses.dataclass(frozen=True)
class LoadgenRecord:
    """What LoadGen says of one driver at one setting.

    Args:
        workload, variant, setting: of the run.
        precision: str; None for a server, which has its own.
        loadgen_scenario: str.
        is_valid: bool, LoadGen's verdict; short runs are not.
        rows_per_second, p50_ms, p90_ms, p99_ms: float, LoadGen's.
        num_queries: int.
        reasons: list of str, why it is not valid.
    """

    workload: str
    precision: str | None
    loadgen_scenario: str
    variant: str
    setting: str
    is_valid: bool
    rows_per_second: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    num_queries: int
    reasons: list[str]
    scenario: str = "loadgen"


class _Asked(NamedTuple):
    """Who is asked, for what, and at which share of the pooled rate."""

    scenario: str
    variant: str
    predict: Predict
    share: float
    num_threads: int | None = None


def run_loadgen_scenarios(
    workload: Workload, settings: Sequence[Setting], options: BenchmarkOptions
) -> Iterator[LoadgenRecord]:
    """Every setting in every scenario.

    The load of `Server` is half of what the pooled driver reaches, and a
    quarter of it over HTTP.

    Args:
        workload: `Workload`.
        settings: list of `Setting`.
        options: `BenchmarkOptions` of one precision and batch size.
    """
    builder = Builder(workload.model, options.precision)
    drivers = {
        scenario: builder.driver(variant, options.batch_size)
        for scenario, variant in _DRIVERS.items()
    }
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(
                HttpModel(url, workload.instances, _NUM_CONNECTIONS)
            )
            for url in options.urls
        ]
        for setting in settings:
            speeds = np.broadcast_to(setting.speed, [workload.num_rows])
            rate = _rate(drivers["offline"], workload, speeds)
            for asked in _all_asked(workload, speeds, drivers, servers):
                together = 1 if asked.num_threads else options.batch_size
                asked.predict(np.arange(min(workload.num_rows, together)))
                yield _run(workload, setting, options, asked, rate)


def _all_asked(
    workload: Workload,
    speeds: np.ndarray,
    drivers: Mapping[str, AnyDriver],
    servers: Sequence[HttpModel],
) -> Iterator[_Asked]:
    for scenario, driver in drivers.items():
        predict = functools.partial(_labels, driver, workload, speeds)
        name = _DRIVERS[scenario].name
        yield _Asked(scenario, name, predict, _SHARES[scenario])
    for server in servers:
        predict = functools.partial(_labels_over_http, server, speeds)
        name = f"server {server.name}"
        yield _Asked("server", name, predict, _HTTP_SHARE, _NUM_CONNECTIONS)


def _run(
    workload: Workload,
    setting: Setting,
    options: BenchmarkOptions,
    asked: _Asked,
    rate: float,
) -> LoadgenRecord:
    report = run_loadgen(
        asked.scenario,
        asked.predict,
        workload.num_rows,
        LoadgenSettings(
            target_qps=rate * asked.share,
            min_duration_ms=options.loadgen_millis,
            max_batch_size=options.batch_size,
            target_latency_ms=options.deadline_millis,
            num_threads=asked.num_threads,
        ),
    )
    return LoadgenRecord(
        workload.name,
        None if asked.num_threads else options.precision,
        asked.scenario,
        asked.variant,
        setting.name,
        report.is_valid,
        report.rows_per_second,
        report.latency_p50_ms,
        report.latency_p90_ms,
        report.latency_p99_ms,
        report.num_queries,
        list(report.reasons),
    )


def _labels(
    driver: AnyDriver, workload: Workload, speeds: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    length = int(workload.trace.lengths[rows].max())
    inputs = cut(workload.inputs, length, rows)
    return driver.predict(inputs, speeds[rows]).labels


def _labels_over_http(
    server: HttpModel, speeds: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    answers = [server.ask(row, float(speeds[row])) for row in rows.tolist()]
    return np.array([answer["label_id"] for answer in answers], np.int32)


def _rate(driver: AnyDriver, workload: Workload, speeds: np.ndarray) -> float:
    """Rows a second of all rows at once, the second time."""
    rows = np.arange(workload.num_rows)
    run = functools.partial(_labels, driver, workload, speeds, rows)
    timing = time_in_turn({"all": run}, num_rounds=1)
    return workload.num_rows / timing.median("all")
