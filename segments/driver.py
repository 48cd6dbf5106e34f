"""Runs a batch through the segments until every row has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fastbert_tf import ExitResult
from fastbert_tf.exits import check_speed
from fastbert_tf.inputs import check_inputs

from .compaction import Answers, Rows, build_compact
from .segment import Segment


class Driver:
    """Takes one batch through the segments, compacting it on the way.

    After each segment the rows whose uncertainty is under their `speed`
    leave, the survivors are packed densely on the device by
    `tf.boolean_mask`, and the next segment runs on those alone. The host
    reads one number a segment: how many are left.

    Args:
        segments: list of `Segment` in order, from `build_segments`.

    Example:

    ```python
    driver = Driver(build_segments(model))
    result = driver.predict(preprocessor(["a text", "another"]), speed=0.5)
    result.labels, result.exit_index
    ```
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        indices = [segment.index for segment in segments]
        if not segments or indices != list(range(len(segments))):
            raise ValueError(
                "`segments` must be M0, M1, ... in order. Received: "
                f"{[f'M{i}' for i in indices]}. Pass the list that "
                "`build_segments` gives."
            )
        if not segments[-1].is_teacher:
            raise ValueError(
                "The last segment must hold the teacher. Received: "
                f"{len(segments)} segments of "
                f"{segments[-1].config.num_hidden_layers}. Pass them all."
            )
        self.segments = list(segments)
        self.config = segments[0].config
        self._compact = build_compact(self.config, segments[0].precision)

    def predict(self, inputs: Mapping[str, Any], speed: Any) -> ExitResult:
        """Answers B rows, each by the first exit sure enough of it.

        Args:
            inputs: dict of integer `[B, S]`: `token_ids`, `token_type_ids`,
                `padding_mask`; B may be 0.
            speed: float in [0, 1], one value or `[B]`. 0 runs every segment.
                Changing it retraces nothing.

        Returns:
            `ExitResult` in the order of the rows.

        Raises:
            TypeError, ValueError: an input or `speed` is not as above.
        """
        inputs = check_inputs(inputs, self.config)
        num_rows = int(inputs["token_ids"].shape[0])
        speed = np.broadcast_to(check_speed(speed, num_rows), [num_rows])
        leaving = self._run(inputs, tf.constant(speed, tf.float32))
        return _collect(leaving, num_rows, self.config.num_classes)

    def _run(
        self, inputs: Mapping[str, tf.Tensor], speed: tf.Tensor
    ) -> list[Answers]:
        """The answers given at each segment, until nobody is left."""
        row_ids = tf.range(tf.shape(speed)[0])
        rows = Rows(None, inputs["padding_mask"], row_ids, speed)
        leaving = []
        for segment in self.segments:
            arguments = (rows.hidden_states, rows.padding_mask)
            outputs = segment.run(*(arguments if leaving else (inputs,)))
            answers = Answers(
                rows.row_ids, outputs["logits"], outputs["uncertainty"]
            )
            if segment.is_teacher:
                return [*leaving, answers]
            rows = rows._replace(hidden_states=outputs["hidden_states"])
            answers, rows = self._compact(rows, answers)
            leaving.append(answers)
            if rows.row_ids.shape[0] == 0:
                break
        return leaving


def _collect(
    leaving: Sequence[Answers], num_rows: int, num_classes: int
) -> ExitResult:
    """Scatters the answers of every exit back to the rows' own places."""
    row_ids = tf.concat([x.row_ids for x in leaving], axis=0).numpy()
    assert len(row_ids) == num_rows
    logits = np.empty((num_rows, num_classes), np.float32)
    logits[row_ids] = tf.concat([x.logits for x in leaving], axis=0).numpy()
    uncertainty = np.empty(num_rows, np.float32)
    uncertainty[row_ids] = tf.concat([x.uncertainty for x in leaving], axis=0)
    exit_index = np.empty(num_rows, np.int32)
    counts = [int(x.row_ids.shape[0]) for x in leaving]
    exit_index[row_ids] = np.repeat(np.arange(len(leaving)), counts)
    return ExitResult(logits, uncertainty, exit_index)
