"""The `offline` scenario: seconds until all rows are answered."""

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
from .options import BenchmarkOptions
from .peers import build_peer
from .variants import (
    FULL_DEPTH,
    Batches,
    Builder,
    Kind,
    answer_all,
    baseline_runs,
)
from .workload import Setting, Workload


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
        has_ideal: bool, whether the cost table, which is measured on
            TensorFlow, says anything of it.
    """

    run: Callable[[], Any]
    expected: Setting | None
    gives_exits: bool = False
    has_ideal: bool = False


def run_offline(
    workload: Workload, settings: Sequence[Setting], options: BenchmarkOptions
) -> Iterator[OfflineRecord]:
    """Times every variant in turn over all rows.

    Args:
        workload: `Workload`.
        settings: list of `Setting` of the workload, of different names.
        options: `BenchmarkOptions` of one precision and batch size.

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
        if case.has_ideal:
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
    options: BenchmarkOptions,
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
        time_speedup=timing.speedup(
            name, (FULL_DEPTH.name, _FULL_DEPTH_SETTING)
        ),
        **fields,
    )


def _baselines(
    workload: Workload, batches: Batches, options: BenchmarkOptions
) -> Iterator[tuple[tuple[str, str], _Case]]:
    """Full depth, static cuts and peers."""
    model = workload.model
    depth = model.config.num_hidden_layers
    runs = baseline_runs(
        model, options.precision, batches, options.batch_size, options.baselines
    )
    for variant, run in runs.items():
        case = _Case(run, workload.cut_at((variant.blocks or depth) - 1))
        yield (variant.name, _FULL_DEPTH_SETTING), case
    for name in options.peers:
        run = functools.partial(_run_peer, build_peer(name, model), batches)
        case = _Case(run, workload.cut_at(depth - 1))
        yield (name, _FULL_DEPTH_SETTING), case


def _run_peer(peer: Callable[..., Any], batches: Batches) -> None:
    for inputs in batches.inputs:
        peer(inputs)


def _drivers(
    workload: Workload,
    batches: Batches,
    settings: Sequence[Setting],
    builder: Builder,
    costs: CostTable,
    options: BenchmarkOptions,
) -> _Cases:
    cases, size = {}, options.batch_size
    for variant in options.variants:
        for setting in settings:
            asked, plan = setting, None
            if variant.is_planned:
                is_pooled = variant.kind is Kind.POOLED
                plan = plan_segments(
                    workload.trace, costs, setting.speed, size, is_pooled
                )
                asked = workload.at_speed(setting.speed, plan.exits)
            run = functools.partial(
                answer_all,
                builder.driver(variant, size, plan),
                workload.inputs,
                batches,
                setting.speed,
            )
            cases[variant.name, setting.name] = _Case(
                run, asked, gives_exits=True, has_ideal=not variant.on_openvino
            )
    return cases


def _official(
    workload: Workload, settings: Sequence[Setting], options: BenchmarkOptions
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
            cases[name, setting.name] = _Case(
                run, setting, gives_exits=True, has_ideal=True
            )
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
