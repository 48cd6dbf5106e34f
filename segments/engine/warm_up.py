"""Runs every segment at every length once, and learns what launches take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from fastbert_tf import INPUT_NAMES, ExitRule

from ..buckets import bucket_lengths
from ..compaction import Compaction
from ..row_state import RowState
from ..segment import Segment
from ..step import start_step


class LaunchTime(NamedTuple):
    """Seconds of one launch.

    Args:
        segment: int, place of the segment in the list.
        bucket: int, positions.
        num_rows: int.
        seconds: float.
    """

    segment: int
    bucket: int
    num_rows: int
    seconds: float


def all_buckets(longest: int, num_positions: int) -> list[int]:
    """Every padded length of rows of 1 to `longest` tokens.

    Args:
        longest: int.
        num_positions: int, the positions the model has.
    """
    lengths = np.arange(1, longest + 1)
    return np.unique(bucket_lengths(lengths, num_positions)).tolist()


def measure_launches(
    segments: Sequence[Segment],
    buckets: Sequence[int],
    max_batch_size: int,
    clock: Callable[[], float],
) -> Iterator[LaunchTime]:
    """Runs the segments on rows alone and in full batches.

    Each runs twice, the second time counts; students are passed over once
    too, as where no row asks them.

    Args:
        segments: list of `Segment` in order.
        buckets: ints, positions.
        max_batch_size: int.
        clock: function that gives seconds.
    """
    config = segments[0].config
    compaction = Compaction(config.hidden_size, segments[0].precision)
    num_exits = config.num_hidden_layers
    full_depth = ExitRule.of(0.0, num_exits)
    asking = ExitRule.nobody_leaves(num_exits)
    for bucket in buckets:
        for num_rows in sorted({1, max_batch_size}):
            given = segments, (num_rows, bucket), compaction, clock
            _run_through(*given, full_depth)
            _run_through(*given, asking)
            yield from _run_through(*given, asking)


def _run_through(
    segments: Sequence[Segment],
    shape: tuple[int, int],
    compaction: Compaction,
    clock: Callable[[], float],
    rule: ExitRule,
) -> list[LaunchTime]:
    """Rows that all stay, once through every segment."""
    num_rows, bucket = shape
    ones = tf.ones(shape, tf.int32)
    # 0 is an id of every table, 1 need not be a token type.
    inputs = dict.fromkeys(INPUT_NAMES, 0 * ones) | {"padding_mask": ones}
    rows = RowState(
        hidden_states=None,
        padding_mask=ones,
        row_ids=np.arange(num_rows),
        thresholds=rule.of_rows(num_rows),
        inputs=inputs,
    )
    times = []
    for i, segment in enumerate(segments):
        start = clock()
        step = start_step(segment, rows)
        np.asarray(step.leaves)
        # The first row of several is taken away, and forgotten.
        kept = compaction.survivors(step.rows, rows.row_ids == 0)
        kept.hidden_states[:1, :1, :1].numpy()
        times.append(LaunchTime(i, bucket, num_rows, clock() - start))
        rows = step.rows
    return times
