"""Answers of rows inside a graph, put together and in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf


class Outputs(NamedTuple):
    """What a network says of B rows, in the order of the rows.

    Args:
        logits: float32 `[B, C]`, of the exit that answered.
        uncertainty: float32 `[B]`.
        exit_index: int32 `[B]`.
    """

    logits: Any
    uncertainty: Any
    exit_index: Any


class GraphAnswers(NamedTuple):
    """What exits say of B rows, in any order; tensors of a graph.

    Args:
        row_ids: int32 `[B]`, places in the caller's order.
        outputs: `Outputs` of these rows.
    """

    row_ids: Any
    outputs: Outputs

    @classmethod
    def of_exit(
        cls, exit_index: int, row_ids: Any, answer: tuple[Any, Any]
    ) -> GraphAnswers:
        """What one exit says: logits and uncertainty of all its rows."""
        exits = tf.fill(tf.shape(row_ids), exit_index)
        return cls(row_ids, Outputs(*answer, exits))

    def where(self, chosen: Any) -> GraphAnswers:
        """Those of the rows where bool `[B]` is true."""
        return tf.nest.map_structure(lambda x: tf.boolean_mask(x, chosen), self)

    def in_order(self) -> Outputs:
        """The outputs of all rows; each must have answered once."""
        order = tf.argsort(self.row_ids)  # A row's place sorts to itself.
        return Outputs(*(tf.gather(x, order) for x in self.outputs))


def answers_unless_empty(
    row_ids: Any, num_classes: int, answers: Callable[[], GraphAnswers]
) -> GraphAnswers:
    """What `answers` gives, which is not run where there is no row.

    Args:
        row_ids: int32 `[B]`, the rows that reach it.
        num_classes: int, C.
        answers: function of no arguments.
    """
    nothing = Outputs(tf.zeros([0, num_classes]), tf.zeros([0]), row_ids)
    return tf.cond(
        tf.size(row_ids) > 0, answers, lambda: GraphAnswers(row_ids, nothing)
    )


def joined_answers(parts: Sequence[GraphAnswers]) -> GraphAnswers:
    """The rows of several, one after another; at least one."""
    return tf.nest.map_structure(lambda *x: tf.concat(x, 0), *parts)
