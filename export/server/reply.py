"""Output columns of an answer, and their form in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastbert_tf.segments import NOT_FINITE, TextAnswers, rounded

# Output to its datatype in the words of the Open Inference Protocol.
OUTPUTS = {
    "label": "BYTES",
    "label_id": "INT32",
    "probabilities": "FP32",
    "exit_index": "INT32",
    "uncertainty": "FP32",
    "truncated": "BOOL",
    "is_late": "BOOL",
    "error": "BYTES",
}

Columns = dict[str, np.ndarray]


def columns(answers: TextAnswers) -> Columns:
    """Every output of B rows.

    A row without an answer has an `error`, which is empty elsewhere, the
    label "" and -1, and the numbers 0 and 1: JSON has no NaN.

    Args:
        answers: `TextAnswers` of an engine.

    Returns:
        dict of `[B]`, and `[B, C]` for `probabilities`; strings as objects.
    """
    result = answers.result
    valid = result.is_valid
    label = ["" if x is None else str(x) for x in answers.labels]
    probabilities = np.where(valid[:, None], answers.probabilities, 0)
    return {
        "label": np.array(label, object),
        "label_id": result.labels,
        "probabilities": probabilities.astype(np.float32),
        "exit_index": result.exit_index.astype(np.int32),
        "uncertainty": np.where(valid, result.uncertainty, np.float32(1)),
        "truncated": np.asarray(answers.truncated, bool),
        "is_late": np.asarray(answers.is_late, bool),
        "error": np.where(valid, "", NOT_FINITE).astype(object),
    }


def as_json(column: np.ndarray) -> list[Any]:
    """Values for JSON; floats in seven digits, all that float32 holds."""
    if column.dtype != np.float32:
        return column.tolist()
    values = [rounded(value) for value in column.ravel().tolist()]
    if column.ndim == 1:
        return values
    width = column.shape[1]
    return [values[i : i + width] for i in range(0, len(values), width)]


def rows(reply: Columns) -> Iterator[dict[str, Any]]:
    """One dict a row."""
    values = {name: as_json(column) for name, column in reply.items()}
    for row in zip(*values.values(), strict=True):
        yield dict(zip(values, row, strict=True))
