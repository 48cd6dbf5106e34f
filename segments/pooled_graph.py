"""`PooledNetwork`: one graph in which survivors of many callers meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from fastbert_tf import FastBertConfig, leaves

from .backends.building import Parts, with_weights
from .buckets import few_buckets
from .graph_answers import (
    GraphAnswers,
    Outputs,
    answers_unless_empty,
    joined_answers,
)


class Pools(NamedTuple):
    """How the pools of a `PooledNetwork` are kept.

    Args:
        max_execution_batch_size: int, rows that run together.
        max_batch_size: int, rows of one call; more are refused.
        max_enqueued_batches: int, full batches that may wait in a pool; a call
            that finds no room is refused with `UnavailableError`.
        num_batch_threads: int, batches that run at once.
    """

    max_execution_batch_size: int = 32
    max_batch_size: int = 1024
    max_enqueued_batches: int = 64
    num_batch_threads: int = 1


class Rows(NamedTuple):
    """Rows of one length on their way; none is looked at by the host.

    Args:
        arguments: of the next segment, without the padding mask.
        padding_mask: int32 `[B, S]`.
        row_ids: int32 `[B]`, places in the caller's order.
        thresholds: float32 `[B, L]`, of an `ExitRule`.
    """

    arguments: tuple[Any, ...]
    padding_mask: Any
    row_ids: Any
    thresholds: Any

    def take(self, kept: Any) -> Rows:
        """The rows where bool `[B]` is true."""
        return tf.nest.map_structure(lambda x: tf.boolean_mask(x, kept), self)


class PooledNetwork:
    """The segments of a model, a pool before each, in one graph.

    Every row is padded to the step of a ladder that its own length calls for.
    For each segment and step a `BatchFunction` gathers the rows that reach it
    from all calls in flight and runs them together: what waits while the
    threads are busy runs as the next batch, and nothing waits for a fuller
    batch while one is idle. All pools share the threads, in turn.

    What a row is answered does not depend on the rows beside it, but for
    rounding (1e-6), which depends on the size of a batch. A student is run also
    for rows that do not ask it: others may be in its batch.

    The first call of a pool prepares its graph, and many callers that all
    come first hold each other up, without end where they are hundreds: run
    every pool once before, as the requests of `write_warmup` do.

    Args:
        parts: list of `Parts`, the segments.
        weights: list of lists of tensors or variables, those of each part.
        config: `FastBertConfig`.
        longest: int, positions of the longest row.
        name: str, of the pools in the process. Two networks of one name
            share them, so it must tell apart what computes differently.
        pools: `Pools`.
    """

    def __init__(
        self,
        parts: Sequence[Parts],
        weights: Sequence[Sequence[Any]],
        config: FastBertConfig,
        longest: int,
        name: str,
        pools: Pools,
    ) -> None:
        # On AG News (45 to 64 tokens of 64) a pool of 48 more made no caller
        # faster, and eight callers 19 % slower: they met less often. Doubling
        # keeps short texts from paying for the longest.
        self.lengths = few_buckets(longest)
        self._parts = list(parts)
        self._num_classes = config.num_classes
        self._name = name
        self._pools = pools
        self._functions = [
            _function(part, values, config, is_last=part is parts[-1])
            for part, values in zip(parts, weights, strict=True)
        ]
        signature = [
            *parts[0].signature(config.hidden_size),
            tf.TensorSpec(
                [None, config.num_hidden_layers], tf.float32, "thresholds"
            ),
        ]
        self.function = tf.function(
            self.run, input_signature=signature, autograph=False
        )

    def run(self, *arguments: Any) -> Outputs:
        """Answers B rows, each by the first exit sure enough of it.

        `function` is this as a `tf.function`, traced once.

        Args:
            *arguments: the three inputs, int32 `[B, S]`, and the thresholds
                of an `ExitRule`, float32 `[B, L]`; they are not checked.
        """
        *inputs, thresholds = arguments
        places = tf.range(1, tf.shape(inputs[-1])[1] + 1)
        ends = tf.where(inputs[-1] > 0, places, 0)
        row_lengths = tf.reduce_max(ends, axis=1)  # [B]
        row_ids = tf.range(tf.shape(thresholds)[0])
        step = tf.searchsorted(tf.constant(self.lengths), row_lengths)
        answers = []
        for i, length in enumerate(self.lengths):
            *ids, mask = (_padded(x, length) for x in inputs)
            rows = Rows(tuple(ids), mask, row_ids, thresholds).take(step == i)
            answers.append(self._from(0, length, rows))
        return joined_answers(answers).in_order()

    def _from(self, place: int, length: int, rows: Rows) -> GraphAnswers:
        """The answers of all rows, from a segment on; they may be none."""
        return answers_unless_empty(
            rows.row_ids,
            self._num_classes,
            lambda: self._run(place, length, rows),
        )

    def _run(self, place: int, length: int, rows: Rows) -> GraphAnswers:
        index = self._parts[place].index
        given = [*rows.arguments, rows.padding_mask]
        *states, logits, uncertainty = self._pooled(place, length, given)
        answers = GraphAnswers.of_exit(
            index, rows.row_ids, (logits, uncertainty)
        )
        if place == len(self._parts) - 1:
            return answers
        leave = leaves(uncertainty, rows.thresholds[:, index + 1])
        rows = rows._replace(arguments=tuple(states))
        staying = rows.take(tf.logical_not(leave))
        rest = self._from(place + 1, length, staying)
        return joined_answers([answers.where(leave), rest])

    def _pooled(self, place: int, length: int, arguments: list) -> list:
        """What a segment gives, run beside the rows of other calls."""
        function, pools = self._functions[place], self._pools
        sizes = range(1, pools.max_execution_batch_size + 1)
        outputs = tf.raw_ops.BatchFunction(
            in_tensors=arguments,
            captured_tensors=function.captured_inputs,
            f=function,
            Tout=[x.dtype for x in function.outputs],
            num_batch_threads=pools.num_batch_threads,
            max_batch_size=pools.max_batch_size,
            batch_timeout_micros=0,
            max_enqueued_batches=pools.max_enqueued_batches,
            # All of them: a batch is padded to the next one listed.
            allowed_batch_sizes=list(sizes),
            enable_large_batch_splitting=True,
            shared_name=self._name,
            batching_queue=f"M{self._parts[place].index}/{length}",
        )
        for output, spec in zip(outputs, function.outputs, strict=True):
            output.set_shape(spec.shape)
        return outputs


def _function(
    part: Parts, weights: Sequence[Any], config: FastBertConfig, is_last: bool
) -> Any:
    run = with_weights(part.run, part.weights, weights)

    def segment(*arguments: Any) -> tuple[Any, ...]:
        outputs = run(*arguments)
        states = [] if is_last else [outputs["hidden_states"]]
        return (*states, outputs["logits"], outputs["uncertainty"])

    specs = part.signature(config.hidden_size)
    return tf.function(
        segment, input_signature=specs, autograph=False
    ).get_concrete_function()


def _padded(ids: Any, length: int) -> Any:
    """`[B, S]` padded or cut to `[B, length]`."""
    ids = ids[:, :length]
    return tf.pad(ids, [[0, 0], [0, length - tf.shape(ids)[1]]])
