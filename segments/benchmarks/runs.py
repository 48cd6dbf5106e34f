"""From options to records: each scenario over the workload asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastbert_tf import FastBertConfig
from fastbert_tf.exits import check_speed

from ..building import build_segments
from ..costs import measure_costs
from ..pooled_driver import PooledDriver
from .endurance import run_endurance
from .loadgen_runs import run_loadgen_scenarios
from .offline import OfflineOptions, run_offline
from .open_loop import check_engines
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
    loadgen_ms: int = 10_000
    peers: tuple[str, ...] = ()
    keras: bool = False
    planned: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_sizes", "lengths", "static_blocks"):
            if min(getattr(self, name), default=1) < 1:
                self._refuse(name, "1 or more")
        for name in ("batch_sizes", "precisions"):
            if not getattr(self, name):
                self._refuse(name, "at least one")
        check_speed(self.speeds, len(self.speeds))
        self._check_model()

    def _check_model(self) -> None:
        if self.model_dir is None:
            for name in ("random_weights", "planned", "speeds", "test_path"):
                if getattr(self, name):
                    self._refuse(name, "used with --model_dir alone")
        elif self.test_path is None:
            self._refuse("test_path", "labelled rows, with --model_dir")
        if self.random_weights and self.planned:
            self._refuse("planned", "used without --random_weights")

    def check_sizes(self, config: FastBertConfig) -> None:
        """Refuses what a model of these sizes cannot do."""
        depth, longest = (
            config.num_hidden_layers,
            config.max_position_embeddings,
        )
        if any(not 1 <= x <= depth for x in self.mean_depths):
            self._refuse("mean_depths", f"1 to {depth} blocks")
        if max(self.static_blocks, default=0) > depth:
            self._refuse("static_blocks", f"1 to {depth} blocks")
        if max(self.lengths, default=0) > longest:
            self._refuse("lengths", f"up to {longest} tokens")
        if max((length for _, length in self.shapes), default=0) > longest:
            self._refuse("shapes", f"up to {longest} tokens long")

    def _refuse(self, name: str, expected: str) -> None:
        raise ValueError(
            f"--{name} must be {expected}. Received: "
            f"{name}={getattr(self, name)!r}. See --help."
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
    wants_speeds = scenario not in ("full_depth", "cost_table", "offline")
    if wants_speeds and not (options.speeds or options.mean_depths):
        raise ValueError(
            f"--scenario={scenario} needs speeds. Received: none. Pass "
            "--speeds=0.5, or --mean_depths=3, for example."
        )
    check_engines(scenario, options.drivers)
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
    workload, settings = build_workload(options)
    yield run_precision(workload, settings)


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
                workload,
                settings,
                precision,
                batch_size,
                options.deadline_ms,
                options.loadgen_ms,
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
