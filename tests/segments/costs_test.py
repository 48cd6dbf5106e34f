import dataclasses

import pytest

from fastbert_tf.segments import CostTable, Driver, measure_costs
from fastbert_tf.segments.costs import SegmentCost


def cost(segment: int, length: int, rows: int) -> SegmentCost:
    """Two segments: seconds of 1 a row and position, 2 with the exit."""
    advance = None if segment else float(length * rows)
    return SegmentCost(segment, length, rows, advance, 2.0 * length * rows)


@pytest.fixture
def table() -> CostTable:
    return CostTable(
        [cost(i, s, b) for i in (0, 1) for s in (8, 16) for b in (1, 4)]
    )


def test_measured_sizes_are_given_back(table: CostTable) -> None:
    assert table.run_seconds(1, 16, 4) == 2 * 64
    assert table.advance_seconds(0, 8, 1) == 8


def test_between_them_costs_are_interpolated(table: CostTable) -> None:
    assert table.run_seconds(0, 12, 2.5) == 2 * 12 * 2.5


def test_past_them_costs_grow_in_proportion(table: CostTable) -> None:
    assert table.advance_seconds(0, 32, 8) == 32 * 8


def test_below_them_costs_are_the_least(table: CostTable) -> None:
    assert table.advance_seconds(0, 2, 1) == 8


def test_a_line_goes_through_the_fewest_and_the_most_rows() -> None:
    seconds = {1: 3.0, 2: 9.0, 4: 6.0}
    table = CostTable(
        [SegmentCost(0, 8, rows, None, x) for rows, x in seconds.items()]
    )
    assert table.line(0, 8) == (2.0, 1.0)
    assert table.line(0, 16) == (4.0, 2.0)


def test_a_line_never_falls_nor_starts_below_nothing() -> None:
    faster = [SegmentCost(0, 8, 1, None, 5.0), SegmentCost(0, 8, 4, None, 4.0)]
    steeper = [SegmentCost(0, 8, 1, None, 1.0), SegmentCost(0, 8, 4, None, 9.0)]
    assert CostTable(faster).line(0, 8) == (5.0, 0.0)
    assert CostTable(steeper).line(0, 8) == (0.0, 8 / 3)


def test_full_depth_is_the_blocks_and_the_teacher(table: CostTable) -> None:
    assert table.full_depth_seconds(8, 1) == 8 + 16


def test_a_table_with_a_gap_is_refused(table: CostTable) -> None:
    with pytest.raises(ValueError, match="Received: 7 for"):
        CostTable(table.costs[:-1])
    with pytest.raises(ValueError, match="Received: 0 for"):
        CostTable([])
    with pytest.raises(ValueError, match="Received: 8 for"):
        CostTable([*table.costs[:-1], table.costs[0]])


def test_every_segment_length_and_batch_is_measured(
    drivers: list[Driver],
) -> None:
    table = measure_costs(drivers[0].segments, (3, 5), (1, 2), num_rounds=1)
    sizes = {(x.segment, x.length, x.batch_size) for x in table.costs}
    assert sizes == {
        (i, s, b) for i in range(4) for s in (3, 5) for b in (1, 2)
    }
    for x in table.costs:
        assert x.run_seconds > 0
        assert (x.advance_seconds is None) == (x.segment == 3)
    assert dataclasses.asdict(table.costs[0])["scenario"] == "cost_table"
