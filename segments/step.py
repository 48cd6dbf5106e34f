"""One step of a driver: run a segment and apply the rule of leaving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from fastbert_tf import (
    ExitRule,
    FastBertConfig,
    check_inputs,
    entropy_score,
    leaves,
)

from .buckets import row_lengths
from .row_state import RowState
from .segment import Segment


class CheckedRows(NamedTuple):
    """B rows and their rule of leaving, once they are checked.

    Args:
        inputs: dict of int32 `[B, S]`.
        rule: `ExitRule`.
        lengths: int64 `[B]`, positions up to the last real token.
    """

    inputs: dict[str, tf.Tensor]
    rule: ExitRule
    lengths: np.ndarray

    @classmethod
    def of(
        cls, inputs: Mapping[str, Any], speed: Any, config: FastBertConfig
    ) -> CheckedRows:
        """What `predict` was given, or the errors `predict` names."""
        inputs = check_inputs(inputs, config)
        num_rows = inputs["token_ids"].shape[0]
        rule = ExitRule.of(speed, config.num_hidden_layers, num_rows)
        lengths = row_lengths(inputs["padding_mask"].numpy())
        return cls(inputs, rule, lengths)

    @property
    def num_rows(self) -> int:
        """B."""
        return len(self.lengths)

    @property
    def thresholds(self) -> np.ndarray:
        """float32 `[B, L]`, of the rule."""
        return self.rule.of_rows(self.num_rows)

    def trimmed(self) -> CheckedRows:
        """Without the positions that no row has."""
        longest = self.lengths.max(initial=1)
        inputs = {name: x[:, :longest] for name, x in self.inputs.items()}
        return self._replace(inputs=inputs)

    def state(self) -> RowState:
        """The rows before the first segment, their ids their places."""
        return RowState(
            hidden_states=None,
            padding_mask=self.inputs["padding_mask"],
            row_ids=np.arange(self.num_rows),
            thresholds=self.thresholds,
            inputs=self.inputs,
            score=self.rule.score,
        )


class Step(NamedTuple):
    """Rows behind a segment, those that leave not yet taken away.

    Args:
        rows: `RowState`, with the segment's hidden states.
        outputs: of `Segment.run`; empty if its exit was not asked.
        leaves: bool `[B]`, on the device until it is read.
    """

    rows: RowState
    outputs: Mapping[str, Any]
    leaves: Any


def start_step(segment: Segment, rows: RowState) -> Step:
    """Runs a segment and applies the rule of leaving, all on the device.

    The teacher answers every row. Where no row asks the student, it is not
    run.

    Args:
        segment: `Segment`.
        rows: `RowState` of the rows that reach it.
    """
    index = segment.index
    if not segment.is_teacher and not rows.asks(index):
        states = segment.advance(rows)
        nobody = np.zeros(rows.num_rows, bool)
        return Step(rows.behind(states), {}, nobody)
    outputs = segment.run(rows)
    rows = rows.behind(outputs["hidden_states"])
    if segment.is_teacher:
        return Step(rows, outputs, np.ones(rows.num_rows, bool))
    score = outputs["uncertainty"]  # The segment has computed the default.
    if rows.score is not entropy_score:
        score, history = rows.score(outputs["logits"], rows.history)
        rows = rows._replace(history=history)
    threshold = rows.thresholds[:, index + 1]
    return Step(rows, outputs, leaves(score, threshold))


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
