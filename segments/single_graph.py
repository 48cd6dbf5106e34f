"""`SingleGraphDriver`: one graph that decides its exits inside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from fastbert_tf import INPUT_NAMES, ExitResult, FastBertClassifier, leaves

from .backends.building import Parts, frozen_function, network_parts
from .graph_answers import (
    GraphAnswers,
    Outputs,
    answers_unless_empty,
    joined_answers,
)
from .segment_plan import SegmentPlan
from .step import CheckedRows


class SingleGraphDriver:
    """Takes one batch through the network in a single call.

    Rows leave and survivors are compacted inside the graph; once nobody is
    left the other blocks are skipped, and so is a student that no row asks.
    The host waits once a batch, and pays one dispatch instead of one a
    segment. Survivors of several batches cannot meet in it.

    Args:
        model: `FastBertClassifier`; its weights are copied into the graph.
        precision: str, `"float32"` or `"bfloat16"`.
        plan: `SegmentPlan`, the exits that are asked; all by default.

    Example:

    ```python
    driver = SingleGraphDriver(model)
    result = driver.predict(preprocessor(["a text"]), speed=0.5)
    ```
    """

    def __init__(
        self,
        model: FastBertClassifier,
        precision: str = "float32",
        plan: SegmentPlan | None = None,
    ) -> None:
        self.config = model.config
        parts = network_parts(model, precision, plan)
        num_exits = model.config.num_hidden_layers
        signature = [
            *parts[0].signature(model.config.hidden_size),
            tf.TensorSpec([None, num_exits], tf.float32),
        ]
        layers = [layer for part in parts for layer in part.layers]
        network = _Network(parts, model.config.num_classes)
        self.function = frozen_function(network.run, signature, layers)
        self._run = self.function.get_concrete_function()

    def predict(self, inputs: Mapping[str, Any], speed: Any) -> ExitResult:
        """Answers B rows, each by the first exit sure enough of it.

        Args:
            inputs: dict of integer `[B, S]`: `token_ids`, `token_type_ids`,
                `padding_mask`; B may be 0.
            speed: float in [0, 1], one value or `[B]`, or an `ExitRule` of
                the default score. 0 runs every block. Changing it retraces
                nothing.

        Returns:
            `ExitResult` in the order of the rows.

        Raises:
            TypeError, ValueError: an input or `speed` is not as above.
        """
        given = CheckedRows.of(inputs, speed, self.config).trimmed()
        ids = [given.inputs[name] for name in INPUT_NAMES]
        given.rule.check_default_score("the single graph")
        outputs = self._run(*ids, tf.constant(given.thresholds))
        return ExitResult(*(x.numpy() for x in outputs))


class _Network:
    """The graph of all segments, a condition around each but the first."""

    def __init__(self, parts: list[Parts], num_classes: int) -> None:
        self._parts = parts
        self._num_classes = num_classes

    def run(self, *arguments: Any) -> Outputs:
        """The answers of B rows, in order.

        Args:
            *arguments: the three inputs, int32 `[B, S]`, and the thresholds
                of an `ExitRule`, float32 `[B, L]`.
        """
        *ids, thresholds = arguments
        row_ids = tf.range(tf.shape(thresholds)[0])
        return self._from(0, tuple(ids), row_ids, thresholds).in_order()

    def _from(
        self, place: int, arguments: tuple, row_ids: Any, thresholds: Any
    ) -> GraphAnswers:
        """The answers of all rows, from a segment on."""
        part, padding_mask = self._parts[place], arguments[-1]
        hidden_states = part.encode(*arguments)
        if place == len(self._parts) - 1:
            answer = part.answer(hidden_states, padding_mask)
            return GraphAnswers.of_exit(part.index, row_ids, answer)
        threshold = thresholds[:, part.index + 1]
        answer = tf.cond(
            tf.reduce_all(tf.math.is_nan(threshold)),
            lambda: self._no_answer(row_ids),
            lambda: part.answer(hidden_states, padding_mask),
        )
        answers = GraphAnswers.of_exit(part.index, row_ids, answer)
        leave = leaves(answers.outputs.uncertainty, threshold)
        hidden_states, padding_mask, row_ids, thresholds = _survivors(
            (hidden_states, padding_mask, row_ids, thresholds), leave
        )
        states = (tf.cast(hidden_states, part.precision), padding_mask)
        rest = answers_unless_empty(
            row_ids,
            self._num_classes,
            lambda: self._from(place + 1, states, row_ids, thresholds),
        )
        return joined_answers([answers.where(leave), rest])

    def _no_answer(self, row_ids: Any) -> tuple[Any, Any]:
        num_rows = tf.size(row_ids)
        logits = tf.zeros([num_rows, self._num_classes])
        return logits, tf.fill([num_rows], math.nan)


def _survivors(rows: tuple, leave: Any) -> tuple:
    """States, mask, ids and thresholds of the rows that stay, trimmed."""
    stays = tf.logical_not(leave)
    hidden_states, padding_mask, *others = (
        tf.boolean_mask(x, stays) for x in rows
    )
    is_real = tf.reduce_any(padding_mask > 0, axis=0)
    places = tf.range(1, tf.size(is_real) + 1)
    longest = tf.reduce_max(tf.where(is_real, places, 0))
    longest = tf.maximum(longest, 1)
    return hidden_states[:, :longest], padding_mask[:, :longest], *others
