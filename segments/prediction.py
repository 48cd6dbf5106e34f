"""Texts to answers by a driver and a preprocessor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastbert_tf import ExitResult, TextPreprocessor


class Prediction(NamedTuple):
    """Answers of B texts.

    Args:
        result: `ExitResult` of B rows.
        truncated: bool `[B]`, tokens of the text were cut.
    """

    result: ExitResult
    truncated: np.ndarray


def predict_texts(
    driver: Any,
    preprocessor: TextPreprocessor,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    speed: float = 0.5,
) -> Prediction:
    """Answers texts in the order given, all encoded at once."""
    inputs, truncated = preprocessor.encode(texts, pairs)
    result = driver.predict(inputs, speed)
    return Prediction(result, np.asarray(truncated))
