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
    # `initial` lets no rows pass: without it Keras refuses an empty tensor.
    largest = xp.max(logits, axis=-1, keepdims=True, initial=-math.inf)
    with np.errstate(invalid="ignore", over="ignore"):
        shifted = logits - largest
        exponentials = xp.exp(shifted)
        total = xp.sum(exponentials, axis=-1, keepdims=True)
        # A class so unlikely that its log overflows adds 0, not 0 * inf.
        surprise = xp.minimum(xp.log(total) - shifted, 1e9)
        terms = exponentials / total * surprise
    entropy = xp.sum(terms, axis=-1) / math.log(logits.shape[-1])
    is_finite = xp.all(xp.isfinite(logits), axis=-1)
    return xp.where(is_finite, xp.clip(entropy, 0.0, 1.0), math.nan)
