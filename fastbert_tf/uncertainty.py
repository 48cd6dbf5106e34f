"""Uncertainty of a prediction: its entropy, as a share of the largest."""

import math
from typing import Any

import numpy as np
from keras import ops


def normalized_entropy(logits: Any) -> Any:
    """Entropy of `softmax(logits)` divided by log C, FastBERT's uncertainty.

    Computed from log-probabilities in float32, so that a saturated row gives
    0 instead of NaN, and clamped to [0, 1], which rounding would leave. NaN or
    infinity in the logits gives NaN. NumPy arrays are answered by NumPy,
    tensors by tensors; the formula is the same.

    Args:
        logits: floating `[..., C]`, C of 2 or more.

    Returns:
        float32 `[...]` in [0, 1]: 0 is certain, 1 is uniform.

    Reference:
        FastBERT (Liu et al., 2020), equation 6; `N` there is C here.
    """
    if isinstance(logits, np.ndarray):
        xp, logits = np, logits.astype(np.float32)
    else:
        xp, logits = ops, ops.cast(logits, "float32")
    with np.errstate(invalid="ignore"):
        shifted = logits - xp.max(logits, axis=-1, keepdims=True)
        exponentials = xp.exp(shifted)
        total = xp.sum(exponentials, axis=-1, keepdims=True)
        log_probabilities = shifted - xp.log(total)
        terms = exponentials / total * log_probabilities
    entropy = -xp.sum(terms, axis=-1) / math.log(logits.shape[-1])
    return xp.clip(entropy, 0.0, 1.0)
