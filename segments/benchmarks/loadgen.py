"""Runs MLPerf's LoadGen on a function that predicts rows."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import math
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

from .loadgen_report import LoadgenReport, read_report
from .loadgen_systems import (
    BatchingSystem,
    ConcurrentSystem,
    DirectSystem,
    Predict,
)

_SCENARIOS = {
    "offline": "Offline",
    "single_stream": "SingleStream",
    "server": "Server",
}


@dataclasses.dataclass(frozen=True)
class LoadgenSettings:
    """What LoadGen asks for, and how many rows may be answered together.

    The defaults are LoadGen's own, except `max_batch_size`. A submission to
    MLPerf needs `min_duration_ms=600_000`.

    Args:
        target_qps: float, rows a second. `server` sends as many, at Poisson
            times. The others prepare their rows from it: whoever answers
            more than 1.1 times (`offline`) or twice (`single_stream`) as
            many runs out of rows before `min_duration_ms`, and the run is
            not valid.
        min_duration_ms: int, 1 or more.
        min_query_count: int, 1 or more; of rows in `offline`. LoadGen's early
            stopping wants 64 in `single_stream`, 459 in `server` and more if
            some of them are late.
        target_latency_ms: float, which 99 % must keep in `server`.
        max_batch_size: int, 1 or more, rows answered together in `server`.
        num_threads: int, 1 or more: in `server`, so many answer a row each
            instead, for a `predict` that waits for somebody else; or None.
        seed: int in [0, 2^64), of the rows and their times.
    """

    target_qps: float
    min_duration_ms: int = 10_000
    min_query_count: int = 100
    target_latency_ms: float = 100.0
    max_batch_size: int = 32
    num_threads: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("target_qps", "target_latency_ms"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                self._refuse(name, "positive", "Pass 100.0 to begin with.")
        counts = ["min_duration_ms", "min_query_count", "max_batch_size"]
        if self.num_threads is not None:
            counts.append("num_threads")
        for name in counts:
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                self._refuse(name, "an int, 1 or more", "Pass 100 to begin.")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**64:
            self._refuse(
                "seed", "an int in [0, 2^64)", "Pass 0 if any will do."
            )

    def _refuse(self, name: str, expected: str, remedy: str) -> None:
        raise ValueError(
            f"`{name}` must be {expected}. Received: "
            f"{name}={getattr(self, name)!r}. {remedy}"
        )


def run_loadgen(
    scenario: str, predict: Predict, num_rows: int, settings: LoadgenSettings
) -> LoadgenReport:
    """Lets LoadGen drive `predict` through one scenario, for performance.

    `offline` asks for all rows in one call, `single_stream` for one row a
    call, `server` for whatever waits, up to `max_batch_size`, or in every
    thread for a row. Whether the answers are right is not looked at. LoadGen
    bears one run at a time in a process, and no interrupt: one from the
    keyboard may abort `server`.

    Args:
        scenario: str, `offline`, `single_stream` or `server`.
        predict: function of int64 `[B]`, row numbers that may repeat, that
            gives the labels of those rows, int `[B]`, in that order. `server`
            calls it in other threads. Warm it up before.
        num_rows: int, 1 or more; row numbers are 0 to `num_rows - 1`.
        settings: `LoadgenSettings`.

    Returns:
        `LoadgenReport`. A run too short for LoadGen is no error: `is_valid`
        is False.

    Raises:
        ModuleNotFoundError: LoadGen is not installed.
        Exception: whatever `predict` raised. It is not called again, but as
            LoadGen cannot be stopped, `server` ends at its usual time.
    """
    _check(scenario, num_rows)
    loadgen = _imported_loadgen()
    if scenario == "server" and settings.num_threads:
        system = ConcurrentSystem(loadgen, predict, settings.num_threads)
    elif scenario == "server":
        system = BatchingSystem(loadgen, predict, settings.max_batch_size)
    else:
        system = DirectSystem(loadgen, predict)
    test = _test_settings(loadgen, scenario, settings)
    with tempfile.TemporaryDirectory() as folder:
        _run_test(loadgen, system, num_rows, test, folder)
        if system.error is not None:
            raise system.error
        return read_report(
            scenario,
            pathlib.Path(folder, "mlperf_log_summary.txt").read_text("utf-8"),
            pathlib.Path(folder, "mlperf_log_detail.txt").read_text("utf-8"),
        )


def _check(scenario: str, num_rows: int) -> None:
    if scenario not in _SCENARIOS:
        raise ValueError(
            f"`scenario` must be one of {tuple(_SCENARIOS)}. Received: "
            f"scenario={scenario!r}. Pass 'offline' for the highest rate."
        )
    if num_rows < 1:
        raise ValueError(
            "`num_rows` must be 1 or more. Received: "
            f"num_rows={num_rows}. Pass the number of rows there are."
        )


def _imported_loadgen() -> Any:
    if importlib.util.find_spec("mlperf_loadgen") is None:
        raise ModuleNotFoundError(
            "This benchmark needs MLPerf's LoadGen, which is not installed. "
            "Run `pip install 'fastbert-tf[loadgen]'`, or leave it out."
        )
    # An optional package, hence here and not at the top.
    import mlperf_loadgen

    return mlperf_loadgen


def _test_settings(
    loadgen: Any, scenario: str, settings: LoadgenSettings
) -> Any:
    test = loadgen.TestSettings()
    test.scenario = getattr(loadgen.TestScenario, _SCENARIOS[scenario])
    test.mode = loadgen.TestMode.PerformanceOnly
    test.min_duration_ms = settings.min_duration_ms
    test.min_query_count = settings.min_query_count
    test.offline_expected_qps = settings.target_qps
    test.server_target_qps = settings.target_qps
    test.single_stream_expected_latency_ns = 1e9 / settings.target_qps
    test.server_target_latency_ns = round(settings.target_latency_ms * 1e6)
    test.qsl_rng_seed = settings.seed
    test.sample_index_rng_seed = settings.seed
    test.schedule_rng_seed = settings.seed
    return test


def _run_test(
    loadgen: Any, system: DirectSystem, num_rows: int, test: Any, folder: str
) -> None:
    logs = loadgen.LogSettings()
    logs.enable_trace = False
    output = loadgen.LogOutputSettings()  # By default silent.
    output.outdir = folder
    logs.log_output = output
    # The default is an `audit.config` in the current folder, which would
    # override the settings.
    audit = str(pathlib.Path(folder, "no_audit.config"))
    with contextlib.ExitStack() as stack:
        sut = loadgen.ConstructSUT(system.issue, system.flush)
        stack.callback(loadgen.DestroySUT, sut)
        qsl = loadgen.ConstructQSL(num_rows, num_rows, _ignore, _ignore)
        stack.callback(loadgen.DestroyQSL, qsl)
        stack.enter_context(system)
        # In the caller's thread, and not in one that would end with the run:
        # LoadGen's log may still look at a thread that is ending.
        loadgen.StartTestWithLogSettings(sut, qsl, test, logs, audit)


def _ignore(rows: Sequence[int]) -> None:
    """Where rows would be loaded and unloaded; `predict` has them all."""
