"""From texts to answers: encode, order by length, run, put back in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastbert_tf import ExitResult, TextPreprocessor

from .driver import Driver


class Prediction(NamedTuple):
    """Answers of B texts.

    Args:
        result: `ExitResult` of B rows.
        truncated: bool `[B]`, tokens of the text were cut.
    """

    result: ExitResult
    truncated: np.ndarray


def predict_texts(
    driver: Driver,
    preprocessor: TextPreprocessor,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
    speed: float = 0.5,
    batch_size: int = 32,
) -> Prediction:
    """Answers texts in batches of like length, in the order given.

    Args:
        driver: `Driver`.
        preprocessor: `TextPreprocessor` of the same model.
        texts: B strings; all are encoded at once, so pass a chunk of a file.
        pairs: the second text of each row, or None.
        speed: float in [0, 1].
        batch_size: int, rows a batch.
    """
    inputs, truncated = preprocessor.encode(texts, pairs)
    arrays = {name: np.asarray(x) for name, x in inputs.items()}
    lengths = arrays["padding_mask"].sum(axis=1)
    order = np.argsort(lengths, kind="stable")
    results = []
    for start in range(0, max(len(order), 1), batch_size):
        rows = order[start : start + batch_size]
        longest = int(lengths[rows].max(initial=1))
        batch = {name: x[rows, :longest] for name, x in arrays.items()}
        results.append(driver.predict(batch, speed))
    result = ExitResult.concatenate(results).take(np.argsort(order))
    return Prediction(result, np.asarray(truncated))
