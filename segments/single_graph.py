"""The network without a cut: one graph that decides its exits inside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from fastbert_tf import INPUT_NAMES, ExitResult, FastBertClassifier

from .backends.building import Parts, frozen_function, network_parts
from .segment_plan import SegmentPlan
from .step import CheckedRows


class SingleGraphDriver:
    """Takes one batch through the network in a single call.

    Rows leave and survivors are compacted inside the graph; once nobody is
    left the other blocks are skipped, and where no row may leave, `speed`
    being 0, the students. The host waits once a batch, and pays one dispatch
    instead of one a segment. Survivors of several batches cannot meet in it.

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
        signature = [
            *parts[0].signature(model.config.hidden_size),
            tf.TensorSpec([None], tf.float32),
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
            speed: float in [0, 1], one value or `[B]`. 0 runs every block.
                Changing it retraces nothing.

        Returns:
            `ExitResult` in the order of the rows.

        Raises:
            TypeError, ValueError: an input or `speed` is not as above.
        """
        given = CheckedRows.of(inputs, speed, self.config).trimmed()
        ids = [given.inputs[name] for name in INPUT_NAMES]
        outputs = self._run(*ids, tf.constant(given.speed))
        return ExitResult(*(x.numpy() for x in outputs))


class _Network:
    """The graph of all segments, a condition around each but the first."""

    def __init__(self, parts: list[Parts], num_classes: int) -> None:
        self._parts = parts
        self._num_classes = num_classes

    def run(self, *arguments: Any) -> tuple[Any, Any, Any]:
        """Logits, uncertainty and exit index of every row, in order.

        Args:
            *arguments: the three inputs, int32 `[B, S]`, and the speed,
                float32 `[B]`.
        """
        *ids, speed = arguments
        row_ids = tf.range(tf.shape(speed)[0])
        asks = tf.reduce_any(speed > 0)
        answers = self._from(0, tuple(ids), row_ids, speed, asks)
        # Every row answers once: its place is where its id sorts to.
        order = tf.argsort(answers[0])
        return tuple(tf.gather(x, order) for x in answers[1:])

    def _from(
        self, place: int, arguments: tuple, row_ids: Any, speed: Any, asks: Any
    ) -> tuple:
        """Row ids, logits, uncertainty and exits from a segment on."""
        part, padding_mask = self._parts[place], arguments[-1]
        hidden_states = part.encode(*arguments)
        exits = tf.fill(tf.shape(row_ids), part.index)
        if place == len(self._parts) - 1:
            answer = part.answer(hidden_states, padding_mask)
            return (row_ids, *answer, exits)
        answer = tf.cond(
            asks,
            lambda: part.answer(hidden_states, padding_mask),
            lambda: self._no_answer(row_ids),
        )
        answers = (row_ids, *answer, exits)
        leaves = answer[1] < speed
        leaving = tuple(tf.boolean_mask(x, leaves) for x in answers)
        hidden_states, padding_mask, row_ids, speed = _survivors(
            (hidden_states, padding_mask, row_ids, speed), leaves
        )
        hidden_states = tf.cast(hidden_states, part.precision)
        rest = tf.cond(
            tf.size(row_ids) > 0,
            lambda: self._from(
                place + 1, (hidden_states, padding_mask), row_ids, speed, asks
            ),
            lambda: tuple(x[:0] for x in answers),
        )
        return tuple(
            tf.concat(pair, 0) for pair in zip(leaving, rest, strict=True)
        )

    def _no_answer(self, row_ids: Any) -> tuple[Any, Any]:
        num_rows = tf.size(row_ids)
        logits = tf.zeros([num_rows, self._num_classes])
        return logits, tf.fill([num_rows], math.nan)


def _survivors(rows: tuple, leaves: Any) -> tuple:
    """Hidden states, mask, ids and speed of the rows that stay, trimmed."""
    stays = tf.logical_not(leaves)
    hidden_states, padding_mask, *others = (
        tf.boolean_mask(x, stays) for x in rows
    )
    is_real = tf.reduce_any(padding_mask > 0, axis=0)
    places = tf.range(1, tf.size(is_real) + 1)
    longest = tf.reduce_max(tf.where(is_real, places, 0))
    longest = tf.maximum(longest, 1)
    return hidden_states[:, :longest], padding_mask[:, :longest], *others
