"""The official FastBERT in NumPy, float64, in the names of its own files.

Written from the published formulas, not from the code under test: layer norm
with the unbiased deviation, masks of -10000, GELU with erf.
"""

import math

import numpy as np

_erf = np.vectorize(math.erf)


def linear(x, state, name):
    weight = state[f"{name}.weight"].astype(np.float64)
    return x @ weight.T + state[f"{name}.bias"].astype(np.float64)


def layer_norm(x, state, name):
    mean = x.mean(-1, keepdims=True)
    deviation = x.std(-1, keepdims=True, ddof=1)
    gamma, beta = state[f"{name}.gamma"], state[f"{name}.beta"]
    return gamma * (x - mean) / (deviation + 1e-6) + beta


def gelu(x):
    return x * 0.5 * (1 + _erf(x / math.sqrt(2)))


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def attention(x, mask, state, names, num_heads):
    """`names`: of query, key, value and output."""
    rows, positions, width = x.shape
    size = width // num_heads

    def heads(name):
        split = linear(x, state, name).reshape(rows, positions, num_heads, size)
        return split.transpose(0, 2, 1, 3)

    query, key, value = (heads(name) for name in names[:3])
    scores = query @ key.transpose(0, 1, 3, 2) / math.sqrt(size)
    scores = scores + (1.0 - mask)[:, None, None, :] * -10000.0
    mixed = (softmax(scores) @ value).transpose(0, 2, 1, 3)
    return linear(mixed.reshape(x.shape), state, names[3])


def official_attention(x, mask, state, name, num_heads):
    parts = [f"{name}.linear_layers.{i}" for i in range(3)]
    names = [*parts, f"{name}.final_linear"]
    return attention(x, mask, state, names, num_heads)


def official_classifier(hidden, mask, state, name, num_heads=2):
    x = np.tanh(linear(hidden, state, f"{name}.output_layer_0"))
    x = official_attention(x, mask, state, f"{name}.self_atten", num_heads)
    x = np.tanh(linear(x[:, 0], state, f"{name}.output_layer_1"))
    return linear(x, state, f"{name}.output_layer_2")


def our_classifier(hidden, mask, state, name, num_heads):
    """The same formulas, in the names of our `model.safetensors`."""
    parts = ("query", "key", "value", "output_dense")
    names = [f"{name}.attention.{part}" for part in parts]
    x = np.tanh(linear(hidden, state, f"{name}.input_dense"))
    x = attention(x, mask, state, names, num_heads)
    x = np.tanh(linear(x[:, 0], state, f"{name}.pooled_dense"))
    return linear(x, state, f"{name}.logits_dense")


def official_block(hidden, mask, state, i, num_heads):
    name = f"encoder.transformer.{i}"
    inner = official_attention(
        hidden, mask, state, f"{name}.self_attn", num_heads
    )
    inner = layer_norm(inner + hidden, state, f"{name}.layer_norm_1")
    output = linear(inner, state, f"{name}.feed_forward.linear_1")
    output = linear(gelu(output), state, f"{name}.feed_forward.linear_2")
    return layer_norm(output + inner, state, f"{name}.layer_norm_2")


def official_embeddings(token_ids, segments, state):
    def rows(name, ids):
        return state[f"embedding.{name}_embedding.weight"][ids]

    positions = np.arange(token_ids.shape[1])[None, :]
    summed = rows("word", token_ids) + rows("segment", segments)
    summed = (summed + rows("position", positions)).astype(np.float64)
    return layer_norm(summed, state, "embedding.layer_norm")


def official_logits(token_ids, segments, state, num_blocks, num_heads):
    """Logits of every exit `[L, B, C]`; `segments`: 0 pad, 1 A, 2 B."""
    mask = (segments > 0).astype(np.float64)
    hidden = official_embeddings(token_ids, segments, state)
    logits = []
    for i in range(num_blocks):
        hidden = official_block(hidden, mask, state, i, num_heads)
        name = f"classifiers.{i}"
        logits.append(official_classifier(hidden, mask, state, name))
    return np.stack(logits)


def official_exits(exit_logits, speed):
    """The released loop: rows with entropy above `speed` go on."""
    num_exits, num_rows, num_classes = exit_logits.shape
    answered = np.full(num_rows, num_exits - 1)
    going = np.arange(num_rows)
    for i, logits in enumerate(exit_logits):
        answered[going] = i
        p = softmax(logits[going])
        entropy = -(p * np.log(p)).sum(-1) / math.log(num_classes)
        going = going[entropy > speed]
    return answered
