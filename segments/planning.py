"""Choosing which exits to ask, from what they would save and what they cost."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from fastbert_tf import normalized_entropy
from fastbert_tf.evaluation import ExitTrace
from fastbert_tf.exits import check_speed

from .costs import CostTable
from .segment_plan import SegmentPlan


def plan_segments(
    trace: ExitTrace,
    costs: CostTable,
    speed: float,
    batch_size: int = 1,
    is_pooled: bool = False,
) -> SegmentPlan:
    """The exits worth asking at a speed, on this machine.

    An exit that few rows leave at costs all of them its classifier, a read
    and a compaction. Of all sets of exits the one with the least
    `expected_seconds` is found, exactly. Asking fewer exits changes answers:
    rows go on to the next exit that is asked, so look at the accuracy of
    `simulate_exits(..., exits=plan.exits)`.

    Args:
        trace: `ExitTrace` of rows like those to come.
        costs: `CostTable` of the model's segments, one a block.
        speed: float in [0, 1].
        batch_size: int, rows that start together.
        is_pooled: bool, whether batches stay full on the way.

    Returns:
        `SegmentPlan`.
    """
    _check(trace, costs, speed, batch_size)
    estimate = _Estimate.of(trace, costs, speed, batch_size, is_pooled)
    return SegmentPlan(trace.num_exits, _fastest_exits(estimate))


def expected_seconds(
    plan: SegmentPlan,
    trace: ExitTrace,
    costs: CostTable,
    speed: float,
    batch_size: int = 1,
    is_pooled: bool = False,
) -> float:
    """Seconds a row takes on average under a plan, by the cost table.

    Rows are taken to have the trace's mean length. A batch that is not
    pooled runs a segment as long as it has a row left, at the mean number of
    those left.

    Args:
        as of `plan_segments`, and `plan`.
    """
    _check(trace, costs, speed, batch_size)
    estimate = _Estimate.of(trace, costs, speed, batch_size, is_pooled)
    stays, seconds = estimate.everyone, 0.0
    for first, last in plan.spans:
        seconds += estimate.span_seconds(first, last, stays)
        stays = stays & estimate.stays_at[last]
    return seconds


def _check(
    trace: ExitTrace, costs: CostTable, speed: float, batch_size: int
) -> None:
    check_speed(speed, num_rows=1)
    if costs.num_segments != trace.num_exits:
        raise ValueError(
            f"`costs` must be of {trace.num_exits} segments, one an exit of "
            f"the trace. Received: {costs.num_segments}. Measure the segments "
            "of `build_segments` without a plan."
        )
    if batch_size < 1:
        raise ValueError(
            "`batch_size` must be 1 or more. Received: "
            f"batch_size={batch_size}."
        )


@dataclasses.dataclass(frozen=True)
class _Estimate:
    """Seconds a row takes, from which exits would let which rows go.

    Args:
        stays_at: bool `[L, N]`, the exit would not let the row go.
        costs: `CostTable`.
        length: float, positions of a row.
        batch_size: int, rows that start together.
        is_pooled: bool, whether batches stay full.
    """

    stays_at: np.ndarray
    costs: CostTable
    length: float
    batch_size: int
    is_pooled: bool

    @classmethod
    def of(
        cls,
        trace: ExitTrace,
        costs: CostTable,
        speed: float,
        batch_size: int,
        is_pooled: bool,
    ) -> _Estimate:
        leaves = normalized_entropy(trace.exit_logits) < np.float32(speed)
        length = float(np.mean(trace.lengths))
        return cls(~leaves, costs, length, batch_size, is_pooled)

    @property
    def num_blocks(self) -> int:
        return len(self.stays_at)

    @property
    def everyone(self) -> np.ndarray:
        """bool `[N]`, all True: the rows that reach the first block."""
        return np.full(self.stays_at.shape[1], True)

    def span_seconds(self, first: int, last: int, stays: np.ndarray) -> float:
        """Of the blocks from `first` to `last` and the exit behind them."""
        blocks = (self.block_seconds(i, stays) for i in range(first, last))
        return sum(blocks) + self._seconds(self.costs.run_seconds, last, stays)

    def block_seconds(self, block: int, stays: np.ndarray) -> float:
        """Of one block whose exit is not asked."""
        return self._seconds(self.costs.advance_seconds, block, stays)

    def _seconds(
        self,
        cost: Callable[[int, float, float], float],
        segment: int,
        stays: np.ndarray,
    ) -> float:
        launches, rows = self._launches(float(np.mean(stays)))
        return launches * cost(segment, self.length, rows) / self.batch_size

    def _launches(self, share: float) -> tuple[float, float]:
        """Launches for each batch that starts, and the rows of one."""
        if self.is_pooled or share in (0.0, 1.0):
            return share, self.batch_size
        any_left = 1.0 - (1.0 - share) ** self.batch_size
        return any_left, self.batch_size * share / any_left


def _fastest_exits(estimate: _Estimate) -> tuple[int, ...]:
    """All sets of exits are tried, but those that cannot win any more."""
    num_blocks = estimate.num_blocks
    # The rows that no exit lets go run every block of every plan.
    stays, least = estimate.everyone, []
    for i in range(num_blocks - 1):
        least.append(estimate.block_seconds(i, stays))
        stays = stays & estimate.stays_at[i]
    remaining = [*np.cumsum(least[::-1])[::-1], 0.0, 0.0]
    best_seconds, best_exits = math.inf, ()

    def extend(
        exits: tuple[int, ...], stays: np.ndarray, seconds: float
    ) -> None:
        nonlocal best_seconds, best_exits
        first = exits[-1] + 1 if exits else 0
        if seconds + remaining[first] >= best_seconds:
            return
        if first == num_blocks:
            best_seconds, best_exits = seconds, exits
            return
        for last in range(first, num_blocks):
            more = estimate.span_seconds(first, last, stays)
            extend(
                (*exits, last), stays & estimate.stays_at[last], seconds + more
            )

    extend((), estimate.everyone, 0.0)
    return best_exits
