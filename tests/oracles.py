"""What the network computes, written again in NumPy and float64."""

import math
from typing import Any

import numpy as np

Array = np.ndarray


def weights_of(layer: Any) -> dict[str, Array]:
    """Weights by their path inside `layer`: `attention/query/kernel`."""
    return {
        weight.path.partition("/")[2]: weight.numpy().astype("float64")
        for weight in layer.weights
    }


def dense(w: dict[str, Array], name: str, x: Array) -> Array:
    return x @ w[f"{name}/kernel"] + w[f"{name}/bias"]


def layer_norm(w: dict[str, Array], name: str, x: Array, eps: float) -> Array:
    centered = x - x.mean(-1, keepdims=True)
    deviation = np.sqrt((centered**2).mean(-1, keepdims=True) + eps)
    return centered / deviation * w[f"{name}/gamma"] + w[f"{name}/beta"]


def softmax(x: Array) -> Array:
    exponentials = np.exp(x - x.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def activation(name: str, x: Array) -> Array:
    if name == "relu":
        return np.maximum(x, 0)
    if name == "gelu_new":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        return 0.5 * x * (1 + np.tanh(inner))
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def attention(
    w: dict[str, Array], num_heads: int, x: Array, mask: Array
) -> Array:
    """Self-attention `[B, S, W]`, one row, head and query at a time."""
    queries, keys, values = (
        dense(w, f"attention/{name}", x) for name in ("query", "key", "value")
    )
    mixed = np.zeros_like(queries)
    size = x.shape[-1] // num_heads
    for row, position, head in np.ndindex(*x.shape[:2], num_heads):
        real = np.flatnonzero(mask[row])
        part = slice(head * size, (head + 1) * size)
        scores = keys[row, real, part] @ queries[row, position, part]
        shares = softmax(scores / math.sqrt(size))
        mixed[row, position, part] = shares @ values[row, real, part]
    return dense(w, "attention/output_dense", mixed)


def embeddings(layer: Any, inputs: dict[str, Array]) -> Array:
    w = weights_of(layer)
    ids = inputs["token_ids"]
    summed = w["token_embedding/embeddings"][ids]
    summed = summed + w["position_embedding"][None, : ids.shape[1]]
    types = inputs["token_type_ids"]
    summed = summed + w["token_type_embedding/embeddings"][types]
    return layer_norm(w, "layer_norm", summed, layer.config.layer_norm_eps)


def block(layer: Any, x: Array, mask: Array) -> Array:
    w, config = weights_of(layer), layer.config
    eps = config.layer_norm_eps
    attended = attention(w, config.num_attention_heads, x, mask)
    x = layer_norm(w, "attention_layer_norm", x + attended, eps)
    expanded = activation(config.hidden_act, dense(w, "intermediate", x))
    contracted = dense(w, "output_dense", expanded)
    return layer_norm(w, "output_layer_norm", x + contracted, eps)


def exit_classifier(layer: Any, x: Array, mask: Array) -> Array:
    w, config = weights_of(layer), layer.config
    narrowed = np.tanh(dense(w, "input_dense", x))
    mixed = attention(w, config.classifier_num_heads, narrowed, mask)
    pooled = []
    for row, real in zip(mixed, mask.astype(bool), strict=True):
        kept = row[real]
        choose = {"first": row[0], "last": kept[-1], "max": kept.max(0)}
        pooled.append(choose[config.classifier_pooling])
    hidden = np.tanh(dense(w, "pooled_dense", np.array(pooled)))
    return dense(w, "logits_dense", hidden)


def exit_logits(model: Any, inputs: dict[str, Array]) -> Array:
    """`[L, B, C]` of every exit."""
    mask = inputs["padding_mask"]
    states, logits = embeddings(model.embeddings, inputs), []
    parts = zip(model.blocks, model.exit_classifiers, strict=True)
    for block_layer, classifier in parts:
        states = block(block_layer, states, mask)
        logits.append(exit_classifier(classifier, states, mask))
    return np.stack(logits)


def normalized_entropy(logits: Array) -> Array:
    """`[B]`, summed over the classes that have any probability."""
    results = []
    for row in np.asarray(logits, np.float64):
        p = softmax(row)
        p = p[p > 0]
        results.append(-(p * np.log(p)).sum() / math.log(len(row)))
    return np.array(results)
