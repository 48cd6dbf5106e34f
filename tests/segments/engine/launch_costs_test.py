import pytest

from fastbert_tf.segments import CostTable
from fastbert_tf.segments.costs import SegmentCost
from fastbert_tf.segments.engine.launch_costs import LaunchCosts


@pytest.fixture
def costs() -> LaunchCosts:
    """Three segments, whose launches take 1, 2 and 3 seconds and 0.1 a row."""
    table = [
        SegmentCost(x, 16, rows, None, 1 + x + 0.1 * rows)
        for x in range(3)
        for rows in (1, 8)
    ]
    return LaunchCosts(3, CostTable(table).line)


def test_nothing_is_known_without_lines() -> None:
    costs = LaunchCosts(3)
    costs.observe(0, 16, 4, 9.0)
    assert costs.launch_seconds(0, 16, 4) == 0.0
    assert costs.remaining_seconds(0, 16, 4, True) == 0.0


def test_a_launch_is_between_the_sizes_measured(costs: LaunchCosts) -> None:
    assert costs.launch_seconds(1, 16, 4) == pytest.approx(2.4)
    assert costs.launch_seconds(1, 24, 4) == pytest.approx(1.5 * 2.4)


def test_one_size_measured_is_taken_in_proportion() -> None:
    costs = LaunchCosts(1)
    costs.use(CostTable([SegmentCost(0, 8, 2, None, 0.5)]).line)
    assert costs.launch_seconds(0, 8, 1) == 0.25


def test_a_new_table_takes_the_place_of_the_old(costs: LaunchCosts) -> None:
    costs.remaining_seconds(0, 16, 1, False)
    table = [SegmentCost(x, 16, 1, None, 5.0) for x in range(3)]
    costs.use(CostTable(table).line)
    assert costs.launch_seconds(0, 16, 1) == 5.0
    assert costs.remaining_seconds(0, 16, 1, False) == 15.0


def test_rows_go_deep_until_they_are_seen_to_leave(
    costs: LaunchCosts,
) -> None:
    assert costs.remaining_seconds(0, 16, 1, True) == pytest.approx(6.3)
    for _ in range(200):
        costs.observe_leaving(0, 8, stay=4)
    expected = 1.1 + 0.5 * (2.1 + 3.1)
    assert costs.remaining_seconds(0, 16, 1, True) == pytest.approx(expected)
    assert costs.remaining_seconds(0, 16, 1, False) == pytest.approx(6.3)
    assert costs.remaining_seconds(2, 16, 0, True) == pytest.approx(3.0)


def test_a_machine_that_slows_down_is_followed(costs: LaunchCosts) -> None:
    for _ in range(100):
        costs.observe(0, 16, 8, 2 * 1.8)
    assert costs.launch_seconds(2, 16, 1) == pytest.approx(6.2, rel=1e-3)


def test_one_pause_does_not_stop_everything(costs: LaunchCosts) -> None:
    costs.observe(0, 16, 8, 3_600.0)
    assert costs.launch_seconds(0, 16, 8) < 1.5 * 1.8
