"""From trained layers to segments: graphs with the weights as constants."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from fastbert_tf import (
    INPUT_NAMES,
    FastBertClassifier,
    FastBertConfig,
    normalized_entropy,
)

from ..segment import LATER_NAMES, Segment
from ..segment_plan import SegmentPlan
from .precision import check_precision, in_precision


def build_segments(
    model: FastBertClassifier,
    precision: str = "float32",
    plan: SegmentPlan | None = None,
) -> list[Segment]:
    """The segments of a trained model, one a block unless a plan fuses some.

    Args:
        model: `FastBertClassifier`; its weights are copied into the graphs.
        precision: str, `"float32"` or `"bfloat16"`. The latter rounds
            weights and hidden states; logits and uncertainty stay float32.
            Without bfloat16 instructions the blocks compute in float32.
        plan: `SegmentPlan`, the exits that are asked; all by default.

    Raises:
        ValueError: `precision` is another one, or `plan` is of another
            number of blocks.

    Example:

    ```python
    segments = build_segments(model, precision="bfloat16")
    outputs = segments[0].run(inputs)
    ```
    """
    parts = network_parts(model, precision, plan)
    return [_segment(part, model.config, precision) for part in parts]


def build_static(
    model: FastBertClassifier, exit_index: int, precision: str = "float32"
) -> Segment:
    """The network cut at an exit, as one graph that asks that exit alone.

    Every row gets that answer. At the last exit it is BERT at full depth,
    what early exit is measured against.

    Args:
        model: `FastBertClassifier`; its weights are copied into the graph.
        exit_index: int, 0 to L - 1.
        precision: str, as of `build_segments`.
    """
    last = model.config.num_hidden_layers - 1
    plan = SegmentPlan(last + 1, tuple(sorted({exit_index, last})))
    parts = network_parts(model, precision, plan)[0]
    return _segment(parts, model.config, precision)


class Parts(NamedTuple):
    """The layers of one segment.

    Args:
        index: int, the exit it ends with.
        embeddings: `Embeddings` of the first segment, None of the others.
        blocks: list of `Block`.
        exit_classifier: `ExitClassifier`.
        precision: str, of the hidden states it gives.
    """

    index: int
    embeddings: keras.layers.Layer | None
    blocks: list[keras.layers.Layer]
    exit_classifier: keras.layers.Layer
    precision: str

    def encode(self, *arguments: Any) -> Any:
        """Hidden states `[B, S, H]` behind the last block.

        Args:
            *arguments: hidden states and padding mask, or the three inputs.
        """
        *given, padding_mask = arguments
        if self.embeddings is None:
            (hidden_states,) = given
        else:
            hidden_states = self.embeddings(*given)
        for block in self.blocks:
            hidden_states = block(hidden_states, padding_mask)
        return hidden_states

    def run(self, *arguments: Any) -> dict[str, Any]:
        """What `Segment.run` gives, of the arguments of `encode`."""
        hidden_states = self.encode(*arguments)
        logits, uncertainty = self.answer(hidden_states, arguments[-1])
        return {
            "hidden_states": keras.ops.cast(hidden_states, self.precision),
            "logits": logits,
            "uncertainty": uncertainty,
        }

    def answer(self, hidden_states: Any, padding_mask: Any) -> tuple[Any, Any]:
        """Logits `[B, C]` and uncertainty `[B]` of the exit."""
        logits = self.exit_classifier(hidden_states, padding_mask)
        return logits, normalized_entropy(logits)

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """All of them."""
        first = [self.embeddings] if self.embeddings else []
        return [*first, *self.blocks, self.exit_classifier]

    @property
    def weights(self) -> list[keras.Variable]:
        """Those of all layers."""
        return [weight for layer in self.layers for weight in layer.weights]

    def signature(self, hidden_size: int) -> list[tf.TensorSpec]:
        """Specs of the arguments, rows and length unknown."""
        is_first = self.embeddings is not None
        return segment_signature(is_first, hidden_size, self.precision)


def segment_signature(
    is_first: bool, hidden_size: int, precision: str
) -> list[tf.TensorSpec]:
    """Specs of what a segment takes, rows and length unknown.

    Args:
        is_first: bool, it holds the embeddings.
        hidden_size: int, H.
        precision: str, of the hidden states.
    """
    if is_first:
        return [tf.TensorSpec([None, None], tf.int32, x) for x in INPUT_NAMES]
    states, mask = LATER_NAMES
    return [
        tf.TensorSpec([None, None, hidden_size], precision, states),
        tf.TensorSpec([None, None], tf.int32, mask),
    ]


def network_parts(
    model: FastBertClassifier,
    precision: str,
    plan: SegmentPlan | None,
    dtype: str | None = None,
) -> list[Parts]:
    """The layers of every segment, in what they compute in.

    Args:
        model, precision, plan: as of `build_segments`.
        dtype: str, computed in; this machine's for `precision` if left out.
    """
    check_precision(precision)
    num_blocks = model.config.num_hidden_layers
    plan = plan or SegmentPlan.every_exit(num_blocks)
    if plan.num_blocks != num_blocks:
        raise ValueError(
            f"`plan` must be of {num_blocks} blocks, as the model is. "
            f"Received: {plan}. Make one for this model."
        )
    convert = functools.partial(in_precision, precision=precision, dtype=dtype)
    parts = []
    for first, last in plan.spans:
        blocks = [convert(x) for x in model.blocks[first : last + 1]]
        embeddings = None if parts else convert(model.embeddings)
        classifier = convert(model.exit_classifiers[last])
        parts.append(Parts(last, embeddings, blocks, classifier, precision))
    return parts


def _segment(parts: Parts, config: FastBertConfig, precision: str) -> Segment:
    signature = parts.signature(config.hidden_size)
    return Segment(
        parts.index,
        frozen_function(parts.run, signature, parts.layers),
        config,
        precision,
        first_block=parts.index - len(parts.blocks) + 1,
    )


def frozen_function(
    call: Callable[..., Any],
    signature: Sequence[tf.TensorSpec],
    layers: Sequence[keras.layers.Layer],
) -> Any:
    """`call` as a `tf.function`, traced now, its weights constants in it.

    oneDNN keeps reordered copies of constant weights only, and fuses bias,
    GELU and residual with them; with variables bfloat16 runs at a third of
    the speed.

    Args:
        call: function of tensors.
        signature: specs of its arguments.
        layers: those it calls.
    """

    def run(*arguments: Any) -> Any:
        weights = [weight for layer in layers for weight in layer.weights]
        constants = [tf.constant(_numpy(w), w.dtype) for w in weights]
        return with_weights(call, weights, constants)(*arguments)

    function = tf.function(run, input_signature=signature, autograph=False)
    function.get_concrete_function()
    return function


def with_weights(
    call: Callable[..., Any],
    weights: Sequence[keras.Variable],
    values: Sequence[Any],
) -> Callable[..., Any]:
    """`call`, computed with other values than the weights have."""

    def run(*arguments: Any) -> Any:
        mapping = list(zip(weights, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return call(*arguments)

    return run


def _numpy(weight: keras.Variable) -> Any:
    with tf.init_scope():
        return weight.value.numpy()
