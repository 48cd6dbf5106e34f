"""From texts to answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastbert_tf import ExitResult, TextPreprocessor

from .driver import Driver
from .pooled_driver import PooledDriver
from .single_graph import SingleGraphDriver

AnyDriver = Driver | PooledDriver | SingleGraphDriver


class Prediction(NamedTuple):
    """Answers of B texts.

    Args:
        result: `ExitResult` of B rows.
        truncated: bool `[B]`, tokens of the text were cut.
    """

    result: ExitResult
    truncated: np.ndarray


def predict_texts(
    driver: AnyDriver,
    preprocessor: TextPreprocessor,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    speed: float = 0.5,
) -> Prediction:
    """Answers texts, in the order given.

    Args:
        driver: any driver; for more than a batch of texts a `PooledDriver`,
            which sorts them by length.
        preprocessor: `TextPreprocessor` of the same model.
        texts: B strings; all are encoded at once, so pass a chunk of a file.
        pairs: the second text of each row, or None.
        speed: float in [0, 1].
    """
    inputs, truncated = preprocessor.encode(texts, pairs)
    result = driver.predict(inputs, speed)
    return Prediction(result, np.asarray(truncated))
