"""The layers of the encoder: embeddings, attention and block.

Shapes, here and everywhere in the project:

    B rows   S positions   H hidden   N heads   D head size   F feed-forward
    C classes   L segments
"""

from typing import Any

import keras
from keras import ops

from .config import FastBertConfig

# Added to the scores of padding keys. Scores are float32 whatever the policy,
# and exp(-1e9) is exactly 0, so padding has no share in the result.
_PADDING_SCORE = -1e9


def padding_scores(padding_mask: Any) -> Any:
    """What is added to attention scores: float32 `[B, S]`, 0 for real tokens.

    Args:
        padding_mask: int32 `[B, S]`, 1 = real token.
    """
    return (1.0 - ops.cast(padding_mask, "float32")) * _PADDING_SCORE


def as_tokens(x: Any, width: int) -> Any:
    """All positions of all rows as one matrix, `[B * S, width]`.

    Keras multiplies tensors of three axes by `tensordot`, whose arithmetic of
    shapes takes a tenth of a small block, and between whose parts TensorFlow
    fuses nothing.

    Args:
        x: `[B, S, width]`, or the same with `width` split into heads.
        width: int.
    """
    return ops.reshape(x, (-1, width))


def _gelu(x: Any) -> Any:
    return keras.activations.gelu(x, approximate=False)


def _gelu_new(x: Any) -> Any:
    return keras.activations.gelu(x, approximate=True)


ACTIVATIONS = {
    "gelu": _gelu,
    "gelu_new": _gelu_new,
    "relu": keras.activations.relu,
}


class ConfiguredLayer(keras.layers.Layer):
    """A layer made from a `FastBertConfig`, which is all it serializes.

    Args:
        config: `FastBertConfig`.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, config: FastBertConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config = config

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "config": self.config.to_dict()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ConfiguredLayer":
        fields = FastBertConfig.from_dict(config["config"])
        return cls(**{**config, "config": fields})

    def _dense(self, width: int, name: str) -> keras.layers.Dense:
        return keras.layers.Dense(
            width,
            kernel_initializer=self._initializer(),
            dtype=self.dtype_policy,
            name=name,
        )

    def _initializer(self) -> keras.initializers.Initializer:
        deviation = self.config.initializer_range
        return keras.initializers.TruncatedNormal(stddev=deviation)

    def _layer_norm(self, name: str) -> keras.layers.LayerNormalization:
        return keras.layers.LayerNormalization(
            epsilon=self.config.layer_norm_eps,
            dtype=self.dtype_policy,
            name=name,
        )

    def _dropout(self, name: str) -> keras.layers.Dropout:
        rate = self.config.hidden_dropout_prob
        return keras.layers.Dropout(rate, dtype=self.dtype_policy, name=name)


class Embeddings(ConfiguredLayer):
    """Token, position and token type embeddings, summed and normalized.

    Call arguments:
        token_ids: int32 `[B, S]`.
        token_type_ids: int32 `[B, S]`.

    Returns:
        Compute dtype `[B, S, H]`.
    """

    def build(self, *_: Any) -> None:
        width = self.config.hidden_size
        self.token_embedding = self._embedding(
            self.config.vocab_size, "token_embedding"
        )
        self.token_type_embedding = self._embedding(
            self.config.type_vocab_size, "token_type_embedding"
        )
        self.position_embedding = self.add_weight(
            shape=(self.config.max_position_embeddings, width),
            initializer=self._initializer(),
            name="position_embedding",
        )
        self.layer_norm = self._layer_norm("layer_norm")
        self.layer_norm.build((None, None, width))
        self.dropout = self._dropout("dropout")

    def _embedding(self, rows: int, name: str) -> keras.layers.Embedding:
        embedding = keras.layers.Embedding(
            rows,
            self.config.hidden_size,
            embeddings_initializer=self._initializer(),
            dtype=self.dtype_policy,
            name=name,
        )
        embedding.build()
        return embedding

    def call(
        self, token_ids: Any, token_type_ids: Any, training: bool = False
    ) -> Any:
        num_positions = ops.shape(token_ids)[1]
        summed = self.token_embedding(token_ids)
        summed = summed + self.token_type_embedding(token_type_ids)
        positions = ops.convert_to_tensor(self.position_embedding)
        summed = summed + positions[:num_positions]
        return self.dropout(self.layer_norm(summed), training=training)

    def compute_output_shape(self, token_ids_shape: Any, *_: Any) -> tuple:
        return (*token_ids_shape, self.config.hidden_size)


class SelfAttention(ConfiguredLayer):
    """Multi-head attention with biases, softmax in float32.

    Queries may be fewer than the positions attended to: an exit classifier
    that reads only [CLS] asks one query.

    Args:
        config: `FastBertConfig`, for dropout and initialization.
        width: int, of queries, keys, values and result.
        num_heads: int; divides `width`.

    Call arguments:
        hidden_states: `[B, S, width]`, keys and values come from it.
        padding_mask: int32 `[B, S]`, 1 = real token.
        query_states: `[B, Q, width]`; None means `hidden_states`.

    Returns:
        `[B, Q, width]`.
    """

    def __init__(
        self, config: FastBertConfig, width: int, num_heads: int, **kwargs: Any
    ) -> None:
        super().__init__(config, **kwargs)
        self.width = width
        self.num_heads = num_heads

    def get_config(self) -> dict[str, Any]:
        sizes = {"width": self.width, "num_heads": self.num_heads}
        return {**super().get_config(), **sizes}

    def build(self, *_: Any) -> None:
        self.query = self._dense(self.width, "query")
        self.key = self._dense(self.width, "key")
        self.value = self._dense(self.width, "value")
        self.output_dense = self._dense(self.width, "output_dense")
        for dense in (self.query, self.key, self.value, self.output_dense):
            dense.build((None, None, self.width))
        self.probabilities_dropout = keras.layers.Dropout(
            self.config.attention_probs_dropout_prob,
            dtype=self.dtype_policy,
            name="probabilities_dropout",
        )

    def call(
        self,
        hidden_states: Any,
        padding_mask: Any,
        query_states: Any = None,
        training: bool = False,
    ) -> Any:
        if query_states is None:
            query_states = hidden_states
        scale = (self.width // self.num_heads) ** -0.5
        queries = self._heads(self.query, query_states) * scale
        keys = self._heads(self.key, hidden_states)
        values = self._heads(self.value, hidden_states)
        scores = ops.matmul(queries, ops.swapaxes(keys, -1, -2))
        scores = ops.cast(scores, "float32")  # [B, N, Q, S]
        scores = scores + padding_scores(padding_mask)[:, None, None, :]
        probabilities = ops.cast(ops.softmax(scores), values.dtype)
        probabilities = self.probabilities_dropout(
            probabilities, training=training
        )
        mixed = ops.swapaxes(ops.matmul(probabilities, values), 1, 2)
        attended = self.output_dense(as_tokens(mixed, self.width))
        return ops.reshape(attended, ops.shape(query_states))

    def _heads(self, dense: keras.layers.Dense, x: Any) -> Any:
        rows, positions, _ = ops.shape(x)
        head_size = self.width // self.num_heads
        x = dense(as_tokens(x, self.width))
        x = ops.reshape(x, (rows, positions, self.num_heads, head_size))
        return ops.swapaxes(x, 1, 2)  # [B, N, S, D]

    def compute_output_shape(
        self, hidden_states_shape: Any, *_: Any, **__: Any
    ) -> tuple:
        return tuple(hidden_states_shape)


class Block(ConfiguredLayer):
    """One transformer encoder layer of BERT, normalized after each half.

    Call arguments:
        hidden_states: `[B, S, H]`.
        padding_mask: int32 `[B, S]`, 1 = real token.

    Returns:
        `[B, S, H]`.
    """

    def build(self, *_: Any) -> None:
        width = self.config.hidden_size
        self.attention = SelfAttention(
            self.config,
            width,
            self.config.num_attention_heads,
            dtype=self.dtype_policy,
            name="attention",
        )
        self.attention.build()
        self.attention_dropout = self._dropout("attention_dropout")
        self.attention_layer_norm = self._layer_norm("attention_layer_norm")
        self.attention_layer_norm.build((None, None, width))
        self.intermediate = self._dense(
            self.config.intermediate_size, "intermediate"
        )
        self.intermediate.build((None, None, width))
        self.output_dense = self._dense(width, "output_dense")
        self.output_dense.build((None, None, self.config.intermediate_size))
        self.output_dropout = self._dropout("output_dropout")
        self.output_layer_norm = self._layer_norm("output_layer_norm")
        self.output_layer_norm.build((None, None, width))

    def call(
        self, hidden_states: Any, padding_mask: Any, training: bool = False
    ) -> Any:
        attended = self.attention(
            hidden_states, padding_mask, training=training
        )
        attended = self.attention_dropout(attended, training=training)
        hidden_states = self.attention_layer_norm(hidden_states + attended)
        tokens = as_tokens(hidden_states, self.config.hidden_size)
        expanded = self.intermediate(tokens)  # [B * S, F]
        expanded = ACTIVATIONS[self.config.hidden_act](expanded)
        contracted = self.output_dense(expanded)  # [B * S, H]
        contracted = self.output_dropout(contracted, training=training)
        tokens = self.output_layer_norm(tokens + contracted)
        return ops.reshape(tokens, ops.shape(hidden_states))

    def compute_output_shape(self, shape: Any, *_: Any) -> tuple:
        return tuple(shape)
