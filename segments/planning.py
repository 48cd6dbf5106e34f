"""`plan_segments`: the exits worth asking, by a trace and a cost table."""

from __future__ import annotations

import dataclasses

import numpy as np

from fastbert_tf import ExitRule, leaving
from fastbert_tf.evaluation import ExitTrace

from .costs import CostTable
from .segment_plan import SegmentPlan

_MOST_BLOCKS = 16  # Up to here all sets of exits are tried.


def plan_segments(
    trace: ExitTrace,
    costs: CostTable,
    speed: float | ExitRule,
    batch_size: int = 1,
    is_pooled: bool = False,
) -> SegmentPlan:
    """The exits worth asking at a speed, on this machine.

    An exit that few rows leave at costs all of them its classifier, a read
    and a compaction. Of all sets of exits the one with the least
    `expected_seconds` is found; with more than 16 blocks, one that no single
    exit more or less would better. Asking fewer exits changes answers: rows
    go on to the next exit that is asked, so look at the accuracy of
    `simulate_exits(..., exits=plan.exits)`.

    Args:
        trace: `ExitTrace` of rows like those to come.
        costs: `CostTable` of the model's segments, one a block.
        speed: float in [0, 1], or an `ExitRule`.
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
    speed: float | ExitRule,
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
    return estimate.plan_seconds(plan.exits)


def _check(
    trace: ExitTrace, costs: CostTable, speed: float | ExitRule, batch_size: int
) -> None:
    ExitRule.of(speed, trace.num_exits)
    if costs.num_segments != trace.num_exits:
        raise ValueError(
            f"`costs` must be of {trace.num_exits} segments, one an exit of "
            f"the trace. Received: {costs.num_segments}. Measure the segments "
            "of `build_segments` without a plan."
        )
    if batch_size < 1:
        raise ValueError(
            "`batch_size` must be 1 or more. Received: "
            f"batch_size={batch_size}. Pass the rows that start together."
        )


@dataclasses.dataclass(frozen=True)
class _Estimate:
    """Seconds a row takes, from which exits would let which rows go.

    Args:
        stays_at: bool `[L, N]`, the exit would not let the row go.
        sizes: `[K]`, numbers of rows that costs are known at.
        run, advance: float `[L, K]`, seconds of each segment with its exit
            asked and without, at the rows' mean length.
        batch_size: int, rows that start together.
        is_pooled: bool, whether batches stay full.
    """

    stays_at: np.ndarray
    sizes: np.ndarray
    run: np.ndarray
    advance: np.ndarray
    batch_size: int
    is_pooled: bool

    @classmethod
    def of(
        cls,
        trace: ExitTrace,
        costs: CostTable,
        speed: float | ExitRule,
        batch_size: int,
        is_pooled: bool,
    ) -> _Estimate:
        rule = ExitRule.of(speed, trace.num_exits)
        # At the teacher nobody stays, which no plan looks at.
        leaves = leaving(trace.exit_logits, rule)[1:]
        length = float(np.mean(trace.lengths))
        sizes = sorted({*costs.batch_sizes, batch_size})
        run, advance = (
            np.array(
                [
                    [cost(i, length, n) for n in sizes]
                    for i in range(len(leaves))
                ]
            )
            for cost in (costs.run_seconds, costs.advance_seconds)
        )
        # Measured, these may fall by chance, which no machine does: more rows
        # take longer, and so does an exit that is asked.
        advance[-1] = run[-1]
        advance = np.maximum.accumulate(advance, axis=1)
        run = np.maximum(np.maximum.accumulate(run, axis=1), advance)
        return cls(
            ~leaves, np.array(sizes), run, advance, batch_size, is_pooled
        )

    @property
    def num_blocks(self) -> int:
        return len(self.stays_at)

    @property
    def everyone(self) -> np.ndarray:
        """bool `[N]`, all True: the rows that reach the first block."""
        return np.full(self.stays_at.shape[1], True)

    def span_seconds(self, first: int, stays: np.ndarray) -> np.ndarray:
        """Of the blocks from `first` to each other one and the exit behind.

        Args:
            first: int.
            stays: bool `[N]`, the rows that reach `first`.

        Returns:
            float `[L - first]`, seconds a row that started.
        """
        run, advance = self._at(float(np.mean(stays)))
        before = np.cumsum(advance[first:]) - advance[first:]
        return before + run[first:]

    def block_seconds(self, stays: np.ndarray) -> np.ndarray:
        """float `[L]`: of each block alone, its exit not asked."""
        return self._at(float(np.mean(stays)))[1]

    def _at(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """`run` and `advance` per row, `share` of which are left."""
        launches, rows = share, float(self.batch_size)
        if not self.is_pooled and 0.0 < share < 1.0:
            launches = 1.0 - (1.0 - share) ** self.batch_size
            rows = self.batch_size * share / launches
        place = np.interp(rows, self.sizes, np.arange(len(self.sizes)))
        low, weight = int(place), place % 1
        high = min(low + 1, len(self.sizes) - 1)
        scale = launches / self.batch_size
        return tuple(
            scale * ((1 - weight) * x[:, low] + weight * x[:, high])
            for x in (self.run, self.advance)
        )

    def plan_seconds(self, exits: tuple[int, ...]) -> float:
        """Of the plan that asks these exits."""
        stays, seconds, first = self.everyone, 0.0, 0
        for last in exits:
            seconds += self.span_seconds(first, stays)[last - first]
            stays, first = stays & self.stays_at[last], last + 1
        return float(seconds)


def _fastest_exits(estimate: _Estimate) -> tuple[int, ...]:
    last = estimate.num_blocks - 1
    starts = (tuple(range(last + 1)), (last,))
    best = min(starts, key=estimate.plan_seconds)
    if estimate.num_blocks <= _MOST_BLOCKS:
        return _search_all(estimate, best)
    return _improve(estimate, best)


def _improve(estimate: _Estimate, exits: tuple[int, ...]) -> tuple[int, ...]:
    """Adds or drops one exit at a time, while that saves time."""
    last = estimate.num_blocks - 1
    while True:
        others = [
            tuple(sorted({*exits} ^ {changed})) for changed in range(last)
        ]
        best = min(others, key=estimate.plan_seconds)
        if estimate.plan_seconds(best) >= estimate.plan_seconds(exits):
            return exits
        exits = best


def _search_all(
    estimate: _Estimate, best_exits: tuple[int, ...]
) -> tuple[int, ...]:
    """Tries all sets of exits, but for those that cannot win any more."""
    num_blocks = estimate.num_blocks
    # The rows that no exit lets go run every block of every plan.
    stays, least = estimate.everyone, []
    for i in range(num_blocks):
        least.append(estimate.block_seconds(stays)[i])
        stays = stays & estimate.stays_at[i]
    remaining = [*np.cumsum(least[::-1])[::-1], 0.0]
    best_seconds = estimate.plan_seconds(best_exits)

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
        spans = estimate.span_seconds(first, stays)
        for last in range(first, num_blocks):
            extend(
                (*exits, last),
                stays & estimate.stays_at[last],
                seconds + spans[last - first],
            )

    extend((), estimate.everyone, 0.0)
    return best_exits
