"""Plans against every set of exits, over made-up costs and traces."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from fastbert_tf.evaluation import ExitTrace
from fastbert_tf.segments import CostTable, SegmentPlan, plan_segments
from fastbert_tf.segments.costs import SegmentCost
from fastbert_tf.segments.planning import expected_seconds

L = 5


def table(exit_cost: float, overhead: float = 0.0) -> CostTable:
    """A block costs 1 a row, an exit `exit_cost` a row, a launch more."""
    costs = [
        SegmentCost(
            i,
            length,
            rows,
            None if i == L - 1 else overhead + rows,
            overhead + rows * (1.0 + exit_cost),
        )
        for i, length, rows in itertools.product(range(L), (8, 16), (1, 4, 8))
    ]
    return CostTable(costs)


def trace(seed: int = 0, num_rows: int = 50) -> ExitTrace:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.1, 4, (L, num_rows, 1))
    logits = (scale * rng.standard_normal((L, num_rows, 3))).astype("float32")
    return ExitTrace(logits, None, np.full(num_rows, 12, np.int32))


def every_plan() -> Iterator[SegmentPlan]:
    for count in range(L):
        for students in itertools.combinations(range(L - 1), count):
            yield SegmentPlan(L, (*students, L - 1))


@pytest.mark.parametrize("exit_cost", [0.0, 0.05, 0.3, 2.0])
@pytest.mark.parametrize("speed", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(("batch_size", "is_pooled"), [(1, False), (8, True)])
def test_no_other_plan_takes_less_time(
    exit_cost: float, speed: float, batch_size: int, is_pooled: bool
) -> None:
    given = (trace(), table(exit_cost, 0.1), speed, batch_size, is_pooled)
    chosen = plan_segments(*given)
    least = min(expected_seconds(plan, *given) for plan in every_plan())
    assert expected_seconds(chosen, *given) == pytest.approx(least)


def test_exits_that_cost_nothing_are_all_asked() -> None:
    plan = plan_segments(trace(), table(-1e-6), 0.5)
    assert plan == SegmentPlan.every_exit(L)


def test_exits_that_nobody_leaves_at_are_not_asked() -> None:
    plan = plan_segments(trace(), table(0.1), 0.0)
    assert plan == SegmentPlan.teacher_only(L)


def test_a_row_alone_pays_for_the_segments_it_reaches() -> None:
    """Half of the rows leave at the first exit, the others at the last."""
    logits = np.zeros((L, 2, 2), np.float32)
    logits[:, 0, 0] = 20.0
    given = ExitTrace(logits, None, np.full(2, 12, np.int32))
    plan = SegmentPlan.every_exit(L)
    seconds = expected_seconds(plan, given, table(0.5), 0.5)
    assert seconds == pytest.approx((1.5 + 5 * 1.5) / 2)


def test_a_launch_is_shared_by_the_rows_of_a_pool() -> None:
    given = (SegmentPlan.every_exit(L), trace(), table(0.0, 6.0), 0.4)
    alone = expected_seconds(*given, 1)
    batch = expected_seconds(*given, 8)
    pooled = expected_seconds(*given, 8, True)
    assert pooled < batch < alone


def test_deep_networks_are_planned_too() -> None:
    """Too many sets of exits to try: no single change is better."""
    rng = np.random.default_rng(1)
    scale = rng.uniform(0.1, 4, (24, 200, 1))
    logits = (scale * rng.standard_normal((24, 200, 3))).astype("float32")
    deep = ExitTrace(logits, None, np.full(200, 12, np.int32))
    costs = [
        SegmentCost(i, 16, 8, None if i == 23 else 8.0, 9.0) for i in range(24)
    ]
    given = (deep, CostTable(costs), 0.3, 8, True)
    chosen = plan_segments(*given)
    seconds = expected_seconds(chosen, *given)
    assert seconds < expected_seconds(SegmentPlan.every_exit(24), *given)
    for changed in range(23):
        exits = tuple(sorted({*chosen.exits} ^ {changed}))
        other = SegmentPlan(24, exits)
        assert expected_seconds(other, *given) >= seconds


def test_costs_that_fall_by_chance_are_no_saving() -> None:
    """More rows never take less time, nor do exits that are asked."""
    costs = [
        SegmentCost(i, 12, n, None if i == L - 1 else 5.0 - n, 4.0 - n)
        for i, n in itertools.product(range(L), (1, 2))
    ]
    given = (trace(), CostTable(costs), 0.5, 2)
    seconds = expected_seconds(SegmentPlan.teacher_only(L), *given)
    assert seconds == pytest.approx((4 * 4.0 + 3.0) / 2)


def test_costs_of_another_model_are_refused() -> None:
    logits = np.zeros((3, 2, 2), np.float32)
    given = ExitTrace(logits, None, np.full(2, 12, np.int32))
    with pytest.raises(ValueError, match="must be of 3 segments"):
        plan_segments(given, table(0.1), 0.5)


@pytest.mark.parametrize("batch_size", [0, -3])
def test_an_impossible_batch_size_is_refused(batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"batch_size={batch_size}"):
        plan_segments(trace(), table(0.1), 0.5, batch_size)
