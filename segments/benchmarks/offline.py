"""Offline: all rows are there; how long until the last is answered?"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..building import build_segments
from ..costs import CostTable, measure_costs
from ..planning import plan_segments
from ..timing import Timing, time_in_turn
from .official_loop import OfficialLoop
from .peers import build_peer
from .variants import (
    FULL_DEPTH,
    Batches,
    answer_all,
    baseline_runs,
    build_driver,
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
        accuracy, mean_depth, exit_histogram, flops_speedup: as of `Setting`;
            None for other networks.
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


class _Case:
    """One of our drivers at one setting, ready to be timed."""

    def __init__(
        self,
        driver: Any,
        workload: Workload,
        batches: Batches,
        setting: Setting,
    ) -> None:
        self.setting = setting
        self._workload = workload
        self.run = functools.partial(
            answer_all, driver, workload.inputs, batches, setting.speed
        )

    def fields(self, costs: CostTable, batch_size: int) -> dict[str, Any]:
        """The part of the record that does not depend on time."""
        setting = self.setting
        exits = self.run().exit_index
        return {
            "setting": setting.name,
            "exits": list(setting.exits),
            "accuracy": setting.accuracy,
            "mean_depth": setting.mean_depth,
            "exit_histogram": setting.exit_histogram,
            "flops_speedup": setting.flops_speedup,
            "ideal_time_speedup": ideal_speedup(
                costs, setting, self._workload.trace.lengths, batch_size
            ),
            "exits_differing": int(np.sum(exits != setting.exit_index)),
        }


def run_offline(
    workload: Workload, settings: Sequence[Setting], options: OfflineOptions
) -> Iterator[OfflineRecord]:
    """Times every variant in turn over all rows.

    Args:
        workload: `Workload`.
        settings: list of `Setting` of the workload.
        options: `OfflineOptions`.

    Yields:
        `OfflineRecord`, the baselines first.
    """
    batches = Batches.of(
        workload.inputs,
        options.batch_size,
        workload.model.config.max_position_embeddings,
    )
    costs = _cost_table(workload, options)
    others = _other_runs(workload, batches, options)
    cases = dict(_cases(workload, batches, settings, costs, options))
    runs = {**others, **{name: case.run for name, case in cases.items()}}
    timing = time_in_turn(runs, options.num_rounds)
    for name in runs:
        fields = dict.fromkeys(
            ("exits", "accuracy", "mean_depth", "exit_histogram")
        )
        fields |= dict.fromkeys(
            ("flops_speedup", "ideal_time_speedup", "exits_differing")
        )
        fields["setting"] = "full depth"
        if name in cases:
            fields = cases[name].fields(costs, options.batch_size)
        yield _record(workload, options, name, timing, fields)


def _record(
    workload: Workload,
    options: OfflineOptions,
    name: Any,
    timing: Timing,
    fields: Mapping[str, Any],
) -> OfflineRecord:
    seconds = timing.median(name)
    return OfflineRecord(
        workload=workload.name,
        precision=options.precision,
        batch_size=options.batch_size,
        variant=name[0] if isinstance(name, tuple) else name,
        num_rows=workload.num_rows,
        seconds=seconds,
        rows_per_second=workload.num_rows / seconds,
        time_speedup=timing.speedup(name, FULL_DEPTH),
        **fields,
    )


def _other_runs(
    workload: Workload, batches: Batches, options: OfflineOptions
) -> dict[str, Callable[[], Any]]:
    """Full depth, static cuts and peers."""
    model = workload.model
    runs = baseline_runs(
        model, options.precision, batches, options.batch_size, options.baselines
    )
    for name in options.peers:
        runs[name] = functools.partial(
            _run_peer, build_peer(name, model), batches
        )
    return runs


def _run_peer(peer: Callable[..., Any], batches: Batches) -> None:
    for inputs in batches.inputs:
        peer(inputs)


def _cases(
    workload: Workload,
    batches: Batches,
    settings: Sequence[Setting],
    costs: CostTable,
    options: OfflineOptions,
) -> Iterator[tuple[tuple[str, str], _Case]]:
    model, size = workload.model, options.batch_size
    for kind in options.drivers:
        base, _, planned = kind.partition(", ")
        driver = (
            None
            if planned
            else build_driver(base, model, options.precision, size)
        )
        for setting in settings:
            asked, mine = setting, driver
            if planned:
                plan = plan_segments(
                    workload.trace, costs, setting.speed, size, base == "pooled"
                )
                asked = workload.at_speed(setting.speed, plan.exits)
                mine = build_driver(base, model, options.precision, size, plan)
            yield (kind, setting.name), _Case(mine, workload, batches, asked)
    for threads in options.official_threads:
        loop = OfficialLoop(model, num_threads=threads)
        for setting in settings:
            name = f"official loop, {threads} threads"
            yield (name, setting.name), _Case(loop, workload, batches, setting)


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


def _cost_table(workload: Workload, options: OfflineOptions) -> CostTable:
    """At lengths around the mean, for the ideal and for plans."""
    mean = float(np.mean(workload.trace.lengths))
    lengths = sorted({max(4, int(mean // 8) * 8), int(mean // 8) * 8 + 8})
    segments = build_segments(workload.model, options.precision)
    return measure_costs(segments, lengths, (options.batch_size,), 3)
