"""A segment M0..M11: a block, its exit classifier and its uncertainty."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from fastbert_tf import FastBertClassifier, FastBertConfig, normalized_entropy
from fastbert_tf.inputs import INPUT_NAMES
from fastbert_tf.layers import ConfiguredLayer

from .precision import check_precision, in_precision


class Segment:
    """A compiled slice of a FastBERT, the unit a driver runs.

    M0 takes token ids, the others the hidden states of the segment before.
    What it returns stays on the device. It is traced once, for any number of
    rows (none included) and any length, and its weights are constants of the
    graph: training the model further does not change it.

    Args:
        index: int, 0 for M0.
        function: `tf.function` of the signature `Segment.run` documents.
        config: `FastBertConfig` of the whole network.
        precision: str, of the hidden states.

    Segments are made by `build_segments`, not by hand.
    """

    def __init__(
        self,
        index: int,
        function: Any,
        config: FastBertConfig,
        precision: str,
    ) -> None:
        self.index = index
        self.function = function
        self.config = config
        self.precision = precision

    @property
    def name(self) -> str:
        """`M0` to `M11`."""
        return f"M{self.index}"

    @property
    def is_teacher(self) -> bool:
        """The last segment, which always answers."""
        return self.index == self.config.num_hidden_layers - 1

    def run(self, *arguments: Any, **named: Any) -> dict[str, tf.Tensor]:
        """Runs the segment on B rows, B of 0 or more.

        Args:
            *arguments: for M0 the inputs dict (int32 `[B, S]` each); for the
                others `hidden_states` (`precision`, `[B, S, H]`) and
                `padding_mask` (int32 `[B, S]`). Ids are not checked here;
                `Driver.predict` does.
            **named: the same by name.

        Returns:
            dict, on the device: `hidden_states` (`precision`, `[B, S, H]`),
            `logits` (float32 `[B, C]`), `uncertainty` (float32 `[B]`).
        """
        if self.index > 0:
            return self.function(*arguments, **named)
        (inputs,) = (*arguments, *named.values())
        ids = [tf.cast(inputs[name], tf.int32) for name in INPUT_NAMES]
        return self.function(*ids)


def build_segments(
    model: FastBertClassifier, precision: str = "float32"
) -> list[Segment]:
    """The segments of a trained model, one a block.

    Args:
        model: `FastBertClassifier`; its weights are copied into the graphs.
        precision: str, `"float32"` or `"bfloat16"`. The latter rounds
            weights and hidden states; logits and uncertainty stay float32.

    Raises:
        ValueError: `precision` is another one.

    Example:

    ```python
    segments = build_segments(model, precision="bfloat16")
    outputs = segments[0].run(inputs)
    ```
    """
    check_precision(precision)
    embeddings = in_precision(model.embeddings, precision)
    segments = []
    for i, parts in enumerate(
        zip(model.blocks, model.exit_classifiers, strict=True)
    ):
        layers = [in_precision(layer, precision) for layer in parts]
        if i == 0:
            function = _first_function(embeddings, *layers)
        else:
            function = _later_function(*layers, model.config, precision)
        segments.append(Segment(i, function, model.config, precision))
    return segments


def _first_function(
    embeddings: ConfiguredLayer,
    block: ConfiguredLayer,
    exit_classifier: ConfiguredLayer,
) -> Callable[..., Any]:
    """M0 as a `tf.function` of the three inputs, int32 `[B, S]`."""

    def run(token_ids: Any, token_type_ids: Any, padding_mask: Any) -> Any:
        with _frozen((embeddings, block, exit_classifier)):
            hidden_states = embeddings(token_ids, token_type_ids)
            return _outputs(block, exit_classifier, hidden_states, padding_mask)

    ids = tf.TensorSpec([None, None], tf.int32)
    return _traced(run, [ids] * 3)


def _later_function(
    block: ConfiguredLayer,
    exit_classifier: ConfiguredLayer,
    config: FastBertConfig,
    precision: str,
) -> Callable[..., Any]:
    """M1..M11 as a `tf.function` of hidden states and padding mask."""

    def run(hidden_states: Any, padding_mask: Any) -> Any:
        with _frozen((block, exit_classifier)):
            return _outputs(block, exit_classifier, hidden_states, padding_mask)

    states = tf.TensorSpec([None, None, config.hidden_size], precision)
    mask = tf.TensorSpec([None, None], tf.int32)
    return _traced(run, [states, mask])


def _traced(run: Callable[..., Any], signature: list[tf.TensorSpec]) -> Any:
    """`run` as a `tf.function`, traced now: weights are read at tracing."""
    function = tf.function(run, input_signature=signature, autograph=False)
    function.get_concrete_function()
    return function


def _outputs(
    block: ConfiguredLayer,
    exit_classifier: ConfiguredLayer,
    hidden_states: Any,
    padding_mask: Any,
) -> dict[str, Any]:
    hidden_states = block(hidden_states, padding_mask)  # [B, S, H]
    logits = exit_classifier(hidden_states, padding_mask)  # [B, C]
    return {
        "hidden_states": hidden_states,
        "logits": logits,
        "uncertainty": normalized_entropy(logits),  # [B]
    }


def _frozen(layers: Sequence[ConfiguredLayer]) -> keras.StatelessScope:
    """A scope in which the weights of `layers` are constants of the graph.

    oneDNN keeps reordered copies of constant weights only, and fuses bias,
    GELU and residual with them; with variables bfloat16 runs at a third of
    the speed.
    """
    weights = [weight for layer in layers for weight in layer.weights]
    constants = [tf.constant(_numpy(w), w.dtype) for w in weights]
    return keras.StatelessScope(
        state_mapping=list(zip(weights, constants, strict=True))
    )


def _numpy(weight: keras.Variable) -> Any:
    with tf.init_scope():
        return weight.value.numpy()
