"""One segment on some rows: what every driver does with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from fastbert_tf import FastBertConfig, check_inputs, check_speed

from .buckets import row_lengths
from .compaction import Rows
from .segment import Segment

# Asks the student and lets nobody leave: for measuring what asking costs.
SMALLEST_SPEED = np.float32(1e-30)


class CheckedRows(NamedTuple):
    """B rows and how sure of each an exit must be, once they are checked.

    Args:
        inputs: dict of int32 `[B, S]`.
        speed: float32 `[B]`.
        lengths: int64 `[B]`, positions up to the last real token.
    """

    inputs: dict[str, tf.Tensor]
    speed: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(
        cls, inputs: Mapping[str, Any], speed: Any, config: FastBertConfig
    ) -> CheckedRows:
        """What `predict` was given, or the errors `predict` names."""
        inputs = check_inputs(inputs, config)
        num_rows = inputs["token_ids"].shape[0]
        speed = np.broadcast_to(check_speed(speed, num_rows), [num_rows])
        lengths = row_lengths(inputs["padding_mask"].numpy())
        return cls(inputs, speed, lengths)

    @property
    def num_rows(self) -> int:
        """B."""
        return len(self.speed)

    def trimmed(self) -> CheckedRows:
        """Without the positions that no row has."""
        longest = self.lengths.max(initial=1)
        inputs = {name: x[:, :longest] for name, x in self.inputs.items()}
        return self._replace(inputs=inputs)


class Step(NamedTuple):
    """Rows behind a segment, those that leave not yet taken away.

    Args:
        rows: `Rows`, with the segment's hidden states.
        outputs: of `Segment.run`; empty if its exit was not asked.
        leaves: bool `[B]`, on the device until it is read.
    """

    rows: Rows
    outputs: Mapping[str, tf.Tensor]
    leaves: Any


def start_step(
    segment: Segment,
    rows: Rows,
    speed: np.ndarray,
    inputs: Mapping[str, tf.Tensor] | None = None,
) -> Step:
    """Runs a segment and compares uncertainties, all on the device.

    A row leaves when `uncertainty < speed`; NaN compares false, so that a row
    without a usable answer goes on. The teacher answers every row. Where no
    row may leave, `speed` being 0 for all, the student is not asked.

    Args:
        segment: `Segment`.
        rows: `Rows` that reach it.
        speed: float32 `[B]` on the host, of these rows.
        inputs: dict of int32 `[B, S]`, for the first segment.
    """
    arguments = rows[:2] if inputs is None else (inputs,)
    if not segment.is_teacher and not speed.any():
        states = segment.advance(*arguments)
        leaves = np.zeros(len(speed), bool)
        return Step(rows._replace(hidden_states=states), {}, leaves)
    outputs = segment.run(*arguments)
    leaves = np.ones(len(speed), bool)
    if not segment.is_teacher:
        leaves = tf.less(outputs["uncertainty"], speed)
    rows = rows._replace(hidden_states=outputs["hidden_states"])
    return Step(rows, outputs, leaves)


def check_segments(segments: Sequence[Segment]) -> list[Segment]:
    """`segments` as a list, if they follow each other up to the teacher."""
    segments = list(segments)
    ends = [-1, *(segment.index for segment in segments)]
    firsts = [segment.first_block - 1 for segment in segments]
    if not segments or firsts != ends[:-1]:
        raise ValueError(
            "`segments` must be M0, M1, ... in order. Received: "
            f"{[segment.name for segment in segments]}. Pass the list that "
            "`build_segments` gives."
        )
    if not segments[-1].is_teacher:
        raise ValueError(
            "The last segment must hold the teacher. Received: "
            f"{len(segments)} segments of "
            f"{segments[-1].config.num_hidden_layers} blocks. Pass them all."
        )
    return segments
