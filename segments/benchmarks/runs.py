"""From options to records: each scenario over the workload asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastbert_tf import FastBertConfig

from ..building import build_segments
from ..costs import measure_costs
from ..pooled_driver import PooledDriver
from .endurance import run_endurance
from .loadgen_runs import run_loadgen_scenarios
from .offline import OfflineOptions, run_offline
from .precisions import run_precision
from .records import as_fields
from .server import ServerOptions, run_server
from .shapes import run_shapes
from .single_stream import run_single_stream
from .variants import KERAS
from .workload import Setting, Workload, forced_workload, trained_workload

Records = list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions:
    """What `fastbert-benchmark` was asked for; its flags, parsed.

    Args:
        config: `FastBertConfig` of random weights.
        model_dir, test_path: of a trained model and labelled rows; without
            them rows of random ids, 64 tokens long.
        random_weights: bool. With `model_dir`, rows of its lengths and exits
            in a network of random weights.
        shapes: pairs of rows and length.
        others: as the flags say.
    """

    config: FastBertConfig
    model_dir: str | None = None
    test_path: str | None = None
    random_weights: bool = False
    num_rows: int = 512
    num_rounds: int = 5
    drivers: tuple[str, ...] = ("driver", "pooled")
    precisions: tuple[str, ...] = ("float32",)
    batch_sizes: tuple[int, ...] = (32,)
    speeds: tuple[float, ...] = ()
    mean_depths: tuple[float, ...] = ()
    static_blocks: tuple[int, ...] = ()
    shapes: tuple[tuple[int, int], ...] = ((32, 128),)
    lengths: tuple[int, ...] = (32, 64)
    official_threads: tuple[int, ...] = ()
    loads: tuple[float, ...] = (0.5, 1.0, 2.0)
    deadline_ms: float = 200.0
    num_arrivals: int = 500
    peers: tuple[str, ...] = ()
    keras: bool = False
    planned: bool = False

    def __post_init__(self) -> None:
        if min(self.batch_sizes, default=0) < 1:
            raise ValueError(
                "`batch_sizes` must be 1 or more. Received: "
                f"batch_sizes={self.batch_sizes}. Pass --batch_sizes=1,8,32."
            )
        if self.random_weights and self.model_dir is None:
            raise ValueError(
                "--random_weights needs the lengths and exits of a trained "
                "model. Received: no --model_dir. Pass one, or leave the flag "
                "out for rows of 64 tokens."
            )

    @property
    def variants(self) -> tuple[str, ...]:
        """The drivers, and with `planned` also each with fewer exits."""
        planned = (f"{x}, planned" for x in self.drivers if self.planned)
        return (*self.drivers, *planned)


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
    for records in SCENARIOS[scenario](options):
        yield [as_fields(record) for record in records]


def build_workload(options: BenchmarkOptions) -> tuple[Workload, list[Setting]]:
    """The rows, and the settings they are run at."""
    if options.model_dir is None:
        lengths = np.full(options.num_rows, 64)
        workload = forced_workload(options.config, lengths)
        return workload, _forced_settings(workload, options.mean_depths)
    if options.test_path is None:
        raise ValueError(
            "A trained model needs labelled rows. Received: --model_dir="
            f"{options.model_dir} without --test_path. Pass a TSV."
        )
    trained = trained_workload(
        options.model_dir, options.test_path, options.num_rows
    )
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
    """As many rows at the whole number of blocks below as give the mean."""
    settings = []
    for depth in mean_depths:
        shares = np.zeros(workload.trace.num_exits)
        below = min(int(depth), len(shares) - 1)
        shares[below - 1], shares[below] = 1 - depth + below, depth - below
        settings.append(workload.at_histogram(shares))
    return settings


def _offline(options: BenchmarkOptions) -> Iterator[Any]:
    workload, settings = build_workload(options)
    baselines = tuple(f"static {count}" for count in options.static_blocks)
    baselines += (KERAS,) if options.keras else ()
    for precision in options.precisions:
        for batch_size in options.batch_sizes:
            yield run_offline(
                workload,
                settings,
                OfflineOptions(
                    precision,
                    batch_size,
                    options.variants,
                    baselines,
                    options.peers,
                    options.official_threads,
                    options.num_rounds,
                ),
            )


def _single_stream(options: BenchmarkOptions) -> Iterator[Any]:
    workload, settings = build_workload(options)
    for precision in options.precisions:
        yield run_single_stream(
            workload, settings, precision, options.drivers, options.peers
        )


def _server(options: BenchmarkOptions) -> Iterator[Any]:
    workload, settings = build_workload(options)
    for precision in options.precisions:
        for batch_size in options.batch_sizes:
            yield run_server(
                workload,
                settings,
                ServerOptions(
                    options.loads,
                    options.deadline_ms,
                    batch_size,
                    options.num_arrivals,
                    precision,
                    options.drivers,
                ),
            )


def _full_depth(options: BenchmarkOptions) -> Iterator[Any]:
    workload, _ = build_workload(dataclasses.replace(options, num_rows=1))
    for precision in options.precisions:
        yield run_shapes(
            workload.model,
            precision,
            options.shapes,
            options.peers,
            options.num_rounds,
        )


def _cost_table(options: BenchmarkOptions) -> Iterator[Any]:
    workload, _ = build_workload(dataclasses.replace(options, num_rows=1))
    for precision in options.precisions:
        segments = build_segments(workload.model, precision)
        yield measure_costs(
            segments, options.lengths, options.batch_sizes, options.num_rounds
        ).costs


def _precision(options: BenchmarkOptions) -> Iterator[Any]:
    workload, _ = build_workload(options)
    yield run_precision(workload, options.speeds)


def _endurance(options: BenchmarkOptions) -> Iterator[Any]:
    workload, settings = build_workload(options)
    for precision in options.precisions:
        segments = build_segments(workload.model, precision)
        for batch_size in options.batch_sizes:
            driver = PooledDriver(segments, batch_size)
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
    for precision in options.precisions:
        for batch_size in options.batch_sizes:
            yield run_loadgen_scenarios(
                workload, settings, precision, batch_size, options.deadline_ms
            )


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
