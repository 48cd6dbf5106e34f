"""Reports of accuracy and cost at any speed, from one trace."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..config import FastBertConfig
from ..exit_rule import ExitRule
from ..exits import simulate_exits
from ..results import ExitResult
from .flops import FlopCounts, count_flops
from .trace import ExitTrace


@dataclasses.dataclass(frozen=True)
class SpeedReport:
    """Quality and cost of the network at one speed.

    Args:
        speed: float in [0, 1].
        accuracy: float, share of right answers; None without labels.
        mean_depth: float, blocks an example went through.
        exit_histogram: L ints, examples leaving at each exit.
        flops_per_example: float, full convention, each example at its own
            length.
        flops_speedup: float, full-depth FLOPs (L blocks and the teacher)
            over these, same convention, same lengths.
        paper_flops_speedup: float, the same ratio in the paper's convention,
            every example at the fixed sequence length.
    """

    speed: float
    accuracy: float | None
    mean_depth: float
    exit_histogram: list[int]
    flops_per_example: float
    flops_speedup: float
    paper_flops_speedup: float


@dataclasses.dataclass(frozen=True)
class ExitReport:
    """Quality and cost of a network cut at one exit, for comparison.

    Such a network runs the blocks up to the exit and its classifier alone.
    The last one is the model at full depth, where both speed-ups are 1.

    Args:
        exit_index: int, 0 to L - 1.
        others: as of `SpeedReport`.
    """

    exit_index: int
    accuracy: float | None
    mean_depth: float
    exit_histogram: list[int]
    flops_per_example: float
    flops_speedup: float
    paper_flops_speedup: float


def evaluate_speeds(
    trace: ExitTrace,
    config: FastBertConfig,
    speeds: Sequence[float],
    sequence_length: int,
) -> list[SpeedReport]:
    """One report a speed, from `simulate_exits` on the trace.

    An example without a valid answer counts as wrong, and is warned of.

    Args:
        trace: `ExitTrace` of the model.
        config: `FastBertConfig` of the model.
        speeds: floats in [0, 1].
        sequence_length: int, tokens, for the paper's FLOPs.

    Raises:
        TypeError, ValueError: a speed is not a number in [0, 1].
    """
    costs = _Costs.of(trace, config, sequence_length)
    reports = []
    for speed in speeds:
        rule = ExitRule.of(speed, trace.num_exits)
        result = simulate_exits(trace.exit_logits, rule)
        cost = functools.partial(FlopCounts.leaving_at, exits=rule.asked_exits)
        report = SpeedReport(
            speed=float(speed),
            accuracy=_accuracy(result, trace.labels, f"speed {speed:g}"),
            mean_depth=result.mean_depth,
            exit_histogram=result.exit_histogram(trace.num_exits).tolist(),
            **costs.fields(cost, result.exit_index),
        )
        reports.append(report)
    return reports


def evaluate_exits(
    trace: ExitTrace, config: FastBertConfig, sequence_length: int
) -> list[ExitReport]:
    """One report an exit used alone; the last is full depth.

    Args:
        trace: `ExitTrace` of the model.
        config: `FastBertConfig` of the model.
        sequence_length: int, tokens, for the paper's FLOPs.
    """
    costs = _Costs.of(trace, config, sequence_length)
    reports = []
    for i in range(trace.num_exits):
        result = simulate_exits(trace.exit_logits[i : i + 1], 0.0)
        histogram = [0] * trace.num_exits
        histogram[i] = len(result)
        report = ExitReport(
            exit_index=i,
            accuracy=_accuracy(result, trace.labels, f"exit {i}"),
            mean_depth=i + 1.0,
            exit_histogram=histogram,
            **costs.fields(FlopCounts.alone_at, i),
        )
        reports.append(report)
    return reports


class _Costs(NamedTuple):
    """FLOPs of the examples at their own lengths, and the paper's."""

    full: FlopCounts
    paper: FlopCounts

    @classmethod
    def of(
        cls, trace: ExitTrace, config: FastBertConfig, sequence_length: int
    ) -> _Costs:
        paper = count_flops(config, sequence_length, "paper")
        return cls(count_flops(config, trace.lengths), paper)

    def fields(
        self, cost: Callable[[FlopCounts, Any], Any], exit_index: Any
    ) -> dict[str, float]:
        """The three FLOPs fields of a report."""
        flops = float(np.mean(cost(self.full, exit_index)))
        paper_flops = float(np.mean(cost(self.paper, exit_index)))
        return {
            "flops_per_example": flops,
            "flops_speedup": float(np.mean(self.full.full_depth)) / flops,
            "paper_flops_speedup": self.paper.full_depth / paper_flops,
        }


def _accuracy(
    result: ExitResult, labels: np.ndarray | None, where: str
) -> float | None:
    num_invalid = int(np.sum(~result.is_valid))
    if num_invalid:
        warnings.warn(
            f"{num_invalid} of {len(result)} examples have no valid answer "
            f"at {where}: their logits are not finite. They count as wrong.",
            RuntimeWarning,
            stacklevel=3,
        )
    return None if labels is None else float(np.mean(result.labels == labels))
