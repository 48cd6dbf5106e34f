"""`CostTable`: measured seconds of each segment, by length and rows."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fastbert_tf import INPUT_NAMES, ExitRule

from .buckets import few_buckets
from .compaction import Compaction
from .row_state import RowState
from .segment import Segment
from .step import check_segments, start_step
from .timing import time_in_turn


@dataclasses.dataclass(frozen=True)
class SegmentCost:
    """Median seconds of one segment at one size.

    Args:
        segment: int, 0 for M0.
        length: int, positions of every row.
        batch_size: int, rows.
        advance_seconds: float, the blocks alone; None for the teacher's.
        run_seconds: float, with the exit asked, the answer read and the
            batch compacted.
    """

    segment: int
    length: int
    batch_size: int
    advance_seconds: float | None
    run_seconds: float
    scenario: str = "cost_table"


class CostTable:
    """Measured costs, and between the measured sizes their interpolation.

    Args:
        costs: list of `SegmentCost`, one a segment, length and batch size.

    Raises:
        ValueError: a combination is missing or there twice.
    """

    def __init__(self, costs: Sequence[SegmentCost]) -> None:
        self.costs = list(costs)
        self.num_segments = 1 + max((x.segment for x in costs), default=-1)
        self.lengths = sorted({x.length for x in costs})
        self.batch_sizes = sorted({x.batch_size for x in costs})
        counts = (self.num_segments, len(self.lengths), len(self.batch_sizes))
        self._run = np.full(counts, np.nan)
        self._advance = np.full(counts, np.nan)
        for cost in costs:
            place = (
                cost.segment,
                self.lengths.index(cost.length),
                self.batch_sizes.index(cost.batch_size),
            )
            self._run[place] = cost.run_seconds
            if cost.advance_seconds is not None:
                self._advance[place] = cost.advance_seconds
        is_whole = costs and not np.isnan(self._run).any()
        if not is_whole or len(costs) != np.prod(counts):
            raise ValueError(
                "A cost table needs one cost a segment, length and batch "
                f"size. Received: {len(costs)} for {counts}. Measure them "
                "with `measure_costs`."
            )

    def run_seconds(self, segment: int, length: float, rows: float) -> float:
        """Seconds of a segment whose exit is asked."""
        return self._interpolated(self._run[segment], length, rows)

    def advance_seconds(
        self, segment: int, length: float, rows: float
    ) -> float:
        """Seconds of a segment whose exit is not."""
        return self._interpolated(self._advance[segment], length, rows)

    def full_depth_seconds(self, length: float, rows: float) -> float:
        """Seconds of all segments when only the teacher is asked."""
        last = self.num_segments - 1
        blocks = (self.advance_seconds(i, length, rows) for i in range(last))
        return sum(blocks) + self.run_seconds(last, length, rows)

    def line(self, segment: int, length: float) -> tuple[float, float]:
        """Seconds of a run with its exit as a line over the rows.

        Args:
            segment: int.
            length: float, positions.

        Returns:
            Seconds of no rows and seconds a row, through the smallest and the
            largest batch size; neither is negative.
        """
        few, many = self.batch_sizes[0], self.batch_sizes[-1]
        low = self.run_seconds(segment, length, few)
        high = self.run_seconds(segment, length, many)
        per_row = high / many
        if many > few:
            per_row = max(high - low, 0.0) / (many - few)
        return max(low - per_row * few, 0.0), per_row

    def _interpolated(
        self, seconds: np.ndarray, length: float, rows: float
    ) -> float:
        """Linear in both; past the largest sizes in proportion to them."""
        scale = max(1.0, length / self.lengths[-1])
        scale *= max(1.0, rows / self.batch_sizes[-1])
        at_length = [
            np.interp(length, self.lengths, column) for column in seconds.T
        ]
        return scale * float(np.interp(rows, self.batch_sizes, at_length))


def measure_costs(
    segments: Sequence[Segment],
    lengths: Sequence[int] = few_buckets(128),
    batch_sizes: Sequence[int] = (1, 8, 32),
    num_rounds: int = 5,
) -> CostTable:
    """Times every segment alone, at all sizes.

    Args:
        segments: list of `Segment` in order, one a block.
        lengths: ints, positions.
        batch_sizes: ints, rows.
        num_rounds: int, runs of each whose median is taken.

    Returns:
        `CostTable` of `len(segments)` segments.
    """
    segments = check_segments(segments)
    return CostTable(
        list(measured_costs(segments, lengths, batch_sizes, num_rounds))
    )


def measured_costs(
    segments: Sequence[Segment],
    lengths: Sequence[int],
    batch_sizes: Sequence[int],
    num_rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[SegmentCost]:
    """Times every segment alone, one size after another.

    Each runs once before the clock starts, with its exit and without.

    Args:
        segments: list of `Segment` in order, with blocks fused or not.
        lengths, batch_sizes, num_rounds: as of `measure_costs`.
        clock: function that gives seconds.

    Yields:
        `SegmentCost`; its `segment` is the place in the list.
    """
    config = segments[0].config
    compaction = Compaction(config.hidden_size, segments[0].precision)
    for length, rows in itertools.product(lengths, batch_sizes):
        runs = {}
        given = _full_rows(segments, length, rows)
        for i, segment in enumerate(segments):
            runs[i, "run"] = _run(segment, given, compaction)
            if not segment.is_teacher:
                runs[i, "advance"] = _advance(segment, given)
        timing = time_in_turn(runs, num_rounds, clock)
        for i, segment in enumerate(segments):
            advance = None
            if not segment.is_teacher:
                advance = timing.median((i, "advance"))
            seconds = timing.median((i, "run"))
            yield SegmentCost(i, length, rows, advance, seconds)


def _full_rows(
    segments: Sequence[Segment], length: int, num_rows: int
) -> RowState:
    """What the segments are timed on: full rows of random values."""
    ones = tf.ones([num_rows, length], tf.int32)
    config = segments[0].config
    size = [num_rows, length, config.hidden_size]
    states = tf.random.stateless_normal(size, [7, 7])
    rule = ExitRule.nobody_leaves(config.num_hidden_layers)
    # 0 is an id of every table, 1 need not be a token type.
    inputs = dict.fromkeys(INPUT_NAMES, 0 * ones) | {"padding_mask": ones}
    return RowState(
        hidden_states=tf.cast(states, segments[0].precision),
        padding_mask=ones,
        row_ids=np.arange(num_rows),
        thresholds=rule.of_rows(num_rows),
        inputs=inputs,
    )


def _advance(segment: Segment, given: RowState) -> Callable[[], Any]:
    return lambda: _wait(segment.advance(given))


def _run(
    segment: Segment, given: RowState, compaction: Compaction
) -> Callable[[], Any]:
    """A step, with the first row of several taken away afterwards."""
    first = np.arange(given.num_rows) == 0

    def run() -> None:
        step = start_step(segment, given)
        np.asarray(step.leaves)
        rows = compaction.survivors(step.rows, first)
        _wait(rows.hidden_states)

    return run


def _wait(tensor: tf.Tensor) -> None:
    """Until the device has computed it."""
    tensor[:1, :1, :1].numpy()
