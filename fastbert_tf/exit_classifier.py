"""The classifier on a block: a student, or the teacher on the last."""

from typing import Any

import keras
from keras import ops

from .layers import ConfiguredLayer, SelfAttention, padding_scores

# Below anything the attention of `tanh` outputs gives, and finite in float16.
_PADDING_VALUE = -6e4


class FanInInitialized(ConfiguredLayer):
    """A layer whose fresh kernels are uniform in +-1/sqrt(inputs).

    So PyTorch initializes, and with it the released code. BERT's deviation of
    0.02 shrinks the signal of a layer 128 wide to a fifth; over the five
    layers of a classifier too little reaches the encoder, which then takes
    epochs to start learning.
    """

    def _initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.VarianceScaling(
            scale=1 / 3, mode="fan_in", distribution="uniform"
        )


class ClassifierAttention(FanInInitialized, SelfAttention):
    """The self-attention of an exit classifier.

    Where one position asks, keys and values of the others are not computed:
    the key kernel is folded into the query, and the value kernel is applied
    to the weighted sum of the positions. That is algebraically equal. A key
    bias adds the same to all scores of a query, so softmax ignores it; value
    biases add up to one. While training, dropout undoes that, and the keys
    and values are computed.
    """

    def call(
        self,
        hidden_states: Any,
        padding_mask: Any,
        query_states: Any = None,
        training: bool = False,
    ) -> Any:
        if query_states is None or training:
            return super().call(
                hidden_states, padding_mask, query_states, training=training
            )
        heads = (self.num_heads, self.width // self.num_heads)
        query = ops.reshape(self.query(query_states), (-1, *heads))
        key = ops.reshape(self.key.kernel, (self.width, *heads))
        value = ops.reshape(self.value.kernel, (self.width, *heads))
        query = ops.einsum("bnd,wnd->bnw", query * heads[1] ** -0.5, key)
        scores = ops.matmul(query, ops.swapaxes(hidden_states, 1, 2))
        scores = ops.cast(scores, "float32")  # [B, N, S]
        scores = scores + padding_scores(padding_mask)[:, None, :]
        probabilities = ops.cast(ops.softmax(scores), hidden_states.dtype)
        mixed = ops.matmul(probabilities, hidden_states)  # [B, N, width]
        mixed = ops.einsum("bnw,wnd->bnd", mixed, value)
        mixed = ops.reshape(mixed, ops.shape(query_states))
        return self.output_dense(mixed + self.value.bias)


class ExitClassifier(FanInInitialized):
    """The classifier on a block: a student, or the teacher on the last.

    A dense layer narrows every position to `classifier_hidden_size`, one
    self-attention without residual or normalization mixes them, and two dense
    layers turn the pooled position into logits. With `"first"` pooling only
    the query of [CLS] is computed, which is exact and cheaper.

    Released FastBERT code pools `"max"` and `"last"` over padding as well;
    here only real tokens count, so that padding cannot change an answer.

    Call arguments:
        hidden_states: `[B, S, H]`.
        padding_mask: int32 `[B, S]`, 1 = real token.

    Returns:
        float32 `[B, C]`, logits.

    Reference:
        FastBERT (Liu et al., 2020), section 3.1; `Classifier` of
        `autoliuweijie/FastBERT:run_fastbert.py`.
    """

    def build(self, *_: Any) -> None:
        width = self.config.classifier_hidden_size
        self.input_dense = self._dense(width, "input_dense")
        self.input_dense.build((None, None, self.config.hidden_size))
        self.attention = ClassifierAttention(
            self.config,
            width,
            self.config.classifier_num_heads,
            dtype=self.dtype_policy,
            name="attention",
        )
        self.attention.build()
        self.pooled_dense = self._dense(width, "pooled_dense")
        self.pooled_dense.build((None, width))
        self.logits_dense = self._dense(self.config.num_classes, "logits_dense")
        self.logits_dense.build((None, width))

    def call(
        self, hidden_states: Any, padding_mask: Any, training: bool = False
    ) -> Any:
        narrowed = ops.tanh(self.input_dense(hidden_states))
        pooled = self._attend_and_pool(narrowed, padding_mask, training)
        pooled = ops.tanh(self.pooled_dense(pooled))
        return ops.cast(self.logits_dense(pooled), "float32")

    def _attend_and_pool(
        self, x: Any, padding_mask: Any, training: bool
    ) -> Any:
        if self.config.classifier_pooling == "max":
            mixed = self.attention(x, padding_mask, training=training)
            is_padding = ops.equal(padding_mask, 0)[:, :, None]
            lowest = ops.cast(_PADDING_VALUE, mixed.dtype)
            mixed = ops.where(is_padding, lowest, mixed)
            # `initial` lets no rows pass: Keras refuses an empty tensor.
            return ops.max(mixed, axis=1, initial=_PADDING_VALUE)
        if self.config.classifier_pooling == "last":
            places = ops.arange(ops.shape(padding_mask)[1], dtype="int32")
            last = ops.max(padding_mask * places, axis=1, initial=0)  # [B]
            query = ops.take_along_axis(x, last[:, None, None], axis=1)
        else:
            query = x[:, :1]  # [B, 1, classifier_hidden_size]
        mixed = self.attention(x, padding_mask, query, training=training)
        return mixed[:, 0]

    def compute_output_shape(self, hidden_states_shape: Any, *_: Any) -> tuple:
        return (hidden_states_shape[0], self.config.num_classes)
