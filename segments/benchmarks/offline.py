"""Offline: all rows are there; how long until the last is answered?"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..buckets import bucket_lengths
from ..costs import CostTable, measure_costs
from ..planning import plan_segments
from ..timing import Timing, time_in_turn
from .official_loop import OfficialLoop
from .peers import build_peer
from .variants import (
    FULL_DEPTH,
    ON_OPENVINO,
    Batches,
    Builder,
    answer_all,
    baseline_runs,
)
from .workload import Setting, Workload


@dataclasses.dataclass(frozen=True)
class OfflineOptions:
    """What `run_offline` compares.

    Args:
        precision: str, of our graphs.
        batch_size: int, rows that run together.
        drivers: of `DRIVERS`; `pooled, planned` asks only the exits that
            `plan_segments` chooses for a speed.
        baselines: as of `baseline_runs`.
        peers: of `PEERS`, other runtimes at full depth.
        official_threads: ints; the released algorithm on PyTorch, run with
            so many threads.
        num_rounds: int, runs of each whose median is taken.
    """

    precision: str = "float32"
    batch_size: int = 32
    drivers: tuple[str, ...] = ("driver", "pooled")
    baselines: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    official_threads: tuple[int, ...] = ()
    num_rounds: int = 5


@dataclasses.dataclass(frozen=True)
class OfflineRecord:
    """One variant at one setting.

    Args:
        workload, precision, batch_size: of the run.
        variant: str, what was timed.
        setting: str; "full depth" where no exit but one is asked.
        exits: list of int, those asked.
        num_rows: int.
        accuracy, mean_depth, exit_histogram, flops_speedup: as of `Setting`,
            by what the variant answers.
        seconds: float, median of the rounds.
        rows_per_second: float.
        time_speedup: float, over `FULL_DEPTH` of the same rounds.
        ideal_time_speedup: float, what the cost table allows; None where it
            says nothing.
        exits_differing: int, rows that left elsewhere than the oracle says;
            None where there is none.
    """

    workload: str
    precision: str
    batch_size: int
    variant: str
    setting: str
    exits: list[int] | None
    num_rows: int
    accuracy: float | None
    mean_depth: float | None
    exit_histogram: list[int] | None
    flops_speedup: float | None
    seconds: float
    rows_per_second: float
    time_speedup: float
    ideal_time_speedup: float | None
    exits_differing: int | None
    scenario: str = "offline"


@dataclasses.dataclass(frozen=True)
class _Case:
    """One variant, ready to be timed.

    Args:
        run: function that answers all rows.
        expected: `Setting` it should give; None for other runtimes.
        gives_exits: bool, whether `run` returns an `ExitResult`.
    """

    run: Callable[[], Any]
    expected: Setting | None
    gives_exits: bool = False


def run_offline(
    workload: Workload, settings: Sequence[Setting], options: OfflineOptions
) -> Iterator[OfflineRecord]:
    """Times every variant in turn over all rows.

    Args:
        workload: `Workload`.
        settings: list of `Setting` of the workload, of different names.
        options: `OfflineOptions`.

    Yields:
        `OfflineRecord`, the baselines first.
    """
    batches = Batches.of(
        workload.inputs,
        options.batch_size,
        workload.model.config.max_position_embeddings,
    )
    builder = Builder(workload.model, options.precision)
    costs = _cost_table(workload, builder, options.batch_size)
    cases = dict(_baselines(workload, batches, options))
    cases |= _drivers(workload, batches, settings, builder, costs, options)
    cases |= _official(workload, settings, options)
    runs = {name: case.run for name, case in cases.items()}
    timing = time_in_turn(runs, options.num_rounds)
    for name, case in cases.items():
        fields = _fields(workload, case)
        fields["ideal_time_speedup"] = None
        # What segments alone take was measured on TensorFlow.
        if case.gives_exits and not name[0].endswith(ON_OPENVINO):
            fields["ideal_time_speedup"] = ideal_speedup(
                costs,
                case.expected,
                workload.trace.lengths,
                options.batch_size,
            )
        yield _record(workload, options, name, timing, fields)


_FULL_DEPTH_SETTING = "full depth"
_Cases = dict[tuple[str, str], _Case]


def _fields(workload: Workload, case: _Case) -> dict[str, Any]:
    """What a variant really answers, but for its time."""
    setting, differing = case.expected, None
    if case.gives_exits:
        result = case.run()
        differing = int(np.sum(result.exit_index != setting.exit_index))
        setting = workload.described(result, setting.speed, setting.exits)
    names = ("accuracy", "mean_depth", "exit_histogram", "flops_speedup")
    fields = {name: getattr(setting, name, None) for name in names}
    exits = None if setting is None else list(setting.exits)
    return {**fields, "exits": exits, "exits_differing": differing}


def _record(
    workload: Workload,
    options: OfflineOptions,
    name: tuple[str, str],
    timing: Timing,
    fields: Mapping[str, Any],
) -> OfflineRecord:
    seconds = timing.median(name)
    return OfflineRecord(
        workload=workload.name,
        precision=options.precision,
        batch_size=options.batch_size,
        variant=name[0],
        setting=name[1],
        num_rows=workload.num_rows,
        seconds=seconds,
        rows_per_second=workload.num_rows / seconds,
        time_speedup=timing.speedup(name, (FULL_DEPTH, _FULL_DEPTH_SETTING)),
        **fields,
    )


def _baselines(
    workload: Workload, batches: Batches, options: OfflineOptions
) -> Iterator[tuple[tuple[str, str], _Case]]:
    """Full depth, static cuts and peers."""
    model = workload.model
    last = model.config.num_hidden_layers - 1
    runs = baseline_runs(
        model, options.precision, batches, options.batch_size, options.baselines
    )
    for name, run in runs.items():
        kind, _, count = name.partition(" ")
        exit_index = int(count) - 1 if kind == "static" else last
        case = _Case(run, workload.cut_at(exit_index))
        yield (name, _FULL_DEPTH_SETTING), case
    for name in options.peers:
        run = functools.partial(_run_peer, build_peer(name, model), batches)
        yield (name, _FULL_DEPTH_SETTING), _Case(run, workload.cut_at(last))


def _run_peer(peer: Callable[..., Any], batches: Batches) -> None:
    for inputs in batches.inputs:
        peer(inputs)


def _drivers(
    workload: Workload,
    batches: Batches,
    settings: Sequence[Setting],
    builder: Builder,
    costs: CostTable,
    options: OfflineOptions,
) -> _Cases:
    cases, size = {}, options.batch_size
    for kind in options.drivers:
        base, _, planned = kind.partition(", ")
        for setting in settings:
            asked, plan = setting, None
            pooled = base.startswith("pooled")
            if planned:
                plan = plan_segments(
                    workload.trace, costs, setting.speed, size, pooled
                )
                asked = workload.at_speed(setting.speed, plan.exits)
            run = functools.partial(
                answer_all,
                builder.driver(base, size, plan),
                workload.inputs,
                batches,
                setting.speed,
            )
            cases[kind, setting.name] = _Case(run, asked, gives_exits=True)
    return cases


def _official(
    workload: Workload, settings: Sequence[Setting], options: OfflineOptions
) -> _Cases:
    cases = {}
    longest = workload.model.config.max_position_embeddings
    for threads in options.official_threads:
        loop = OfficialLoop(workload.model, min(128, longest), threads)
        for setting in settings:
            name = f"official loop, threads: {threads}"
            run = functools.partial(
                loop.predict, workload.inputs, setting.speed
            )
            cases[name, setting.name] = _Case(run, setting, gives_exits=True)
    return cases


def ideal_speedup(
    costs: CostTable, setting: Setting, lengths: np.ndarray, batch_size: int
) -> float:
    """Time speed-up of full batches with nothing between the segments.

    Full depth over the sum of what each segment costs the rows that reach
    it, by the cost table at the mean length.
    """
    length = float(np.mean(lengths))
    spent, reaching = 0.0, np.asarray(setting.exit_index)
    for i in range(costs.num_segments):
        share = float(np.mean(reaching >= i))
        asks = i in setting.exits and (
            i == costs.num_segments - 1 or np.any(setting.speed)
        )
        cost = costs.run_seconds if asks else costs.advance_seconds
        spent += share * cost(i, length, batch_size)
    return costs.full_depth_seconds(length, batch_size) / spent


def _cost_table(
    workload: Workload, builder: Builder, batch_size: int
) -> CostTable:
    """At the bucket of the mean length, for the ideal and for plans."""
    mean = np.array([np.mean(workload.trace.lengths)])
    longest = workload.model.config.max_position_embeddings
    lengths = bucket_lengths(np.ceil(mean), longest).tolist()
    sizes = sorted({1, min(8, batch_size), batch_size})
    return measure_costs(builder.segments(), lengths, sizes, 3)
