"""Our drivers under MLPerf's LoadGen, in its three scenarios."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence

import numpy as np

from fastbert_tf import ExitResult

from ..buckets import cut
from ..prediction import AnyDriver
from .loadgen import LoadgenSettings, run_loadgen
from .variants import Builder
from .workload import Setting, Workload

# The driver meant for it: rows at once are pooled, a row alone is not.
_DRIVERS = {
    "offline": "pooled",
    "single_stream": "driver",
    "server": "driver",
}
# Of what the pooled driver reaches: the server's load, and for the others as
# many rows as LoadGen must prepare so as not to run out of them.
_SHARES = {"offline": 1.3, "single_stream": 1.0, "server": 0.5}


@dataclasses.dataclass(frozen=True)
class LoadgenRecord:
    """What LoadGen says of one driver at one setting.

    Args:
        workload, variant, setting, precision: of the run.
        loadgen_scenario: str.
        is_valid: bool, LoadGen's verdict; short runs are not.
        rows_per_second, p50_ms, p90_ms, p99_ms: float, LoadGen's.
        num_queries: int.
        reasons: list of str, why it is not valid.
    """

    workload: str
    precision: str
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


def run_loadgen_scenarios(
    workload: Workload,
    settings: Sequence[Setting],
    precision: str,
    max_batch_size: int,
    deadline_ms: float,
    min_duration_ms: int = 10_000,
) -> Iterator[LoadgenRecord]:
    """Every setting in every scenario.

    The server's load is half of what the pooled driver reaches.

    Args:
        workload: `Workload`.
        settings: list of `Setting`.
        precision: str.
        max_batch_size: int.
        deadline_ms: float, LoadGen's bound for the server.
        min_duration_ms: int, of each run; MLPerf asks for 600,000.
    """
    builder = Builder(workload.model, precision)
    drivers = {
        scenario: builder.driver(kind, max_batch_size)
        for scenario, kind in _DRIVERS.items()
    }
    for setting in settings:
        speeds = np.broadcast_to(setting.speed, [workload.num_rows])
        rate = _rate(drivers["offline"], workload, speeds)
        for scenario, driver in drivers.items():
            predict = functools.partial(_predict, driver, workload, speeds)
            predict(np.arange(min(workload.num_rows, max_batch_size)))
            report = run_loadgen(
                scenario,
                predict,
                workload.num_rows,
                LoadgenSettings(
                    target_qps=rate * _SHARES[scenario],
                    min_duration_ms=min_duration_ms,
                    max_batch_size=max_batch_size,
                    target_latency_ms=deadline_ms,
                ),
            )
            yield LoadgenRecord(
                workload.name,
                precision,
                scenario,
                _DRIVERS[scenario],
                setting.name,
                report.is_valid,
                report.rows_per_second,
                report.latency_p50_ms,
                report.latency_p90_ms,
                report.latency_p99_ms,
                report.num_queries,
                list(report.reasons),
            )


def _predict(
    driver: AnyDriver, workload: Workload, speeds: np.ndarray, rows: np.ndarray
) -> ExitResult:
    length = int(workload.trace.lengths[rows].max())
    inputs = cut(workload.inputs, length, rows)
    return driver.predict(inputs, speeds[rows])


def _rate(driver: AnyDriver, workload: Workload, speeds: np.ndarray) -> float:
    """Rows a second of all rows at once, the second time."""
    rows = np.arange(workload.num_rows)
    _predict(driver, workload, speeds, rows)
    start = time.perf_counter()
    _predict(driver, workload, speeds, rows)
    return workload.num_rows / (time.perf_counter() - start)
