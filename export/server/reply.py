"""What a request is answered: a column of values for every output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastbert_tf import INVALID_LABEL, ExitResult

from ..answer_json import NOT_FINITE, rounded

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


def columns(
    result: ExitResult,
    is_late: np.ndarray,
    truncated: np.ndarray,
    label_names: Sequence[str],
) -> Columns:
    """Every output of B rows.

    A row without an answer has an `error`, which is empty elsewhere, the
    label "" and -1, and the numbers 0 and 1: JSON has no NaN.

    Args:
        result: `ExitResult` of B rows.
        is_late: bool `[B]`, answered by the deepest exit after the deadline.
        truncated: bool `[B]`, tokens of the text were cut.
        label_names: C class names.

    Returns:
        dict of `[B]`, and `[B, C]` for `probabilities`; strings as objects.
    """
    valid = result.is_valid
    label_ids = result.labels
    names = {INVALID_LABEL: "", **dict(enumerate(label_names))}
    label = [names[i] for i in label_ids.tolist()]
    probabilities = np.where(valid[:, None], result.probabilities, 0)
    return {
        "label": np.array(label, object),
        "label_id": label_ids,
        "probabilities": probabilities.astype(np.float32),
        "exit_index": result.exit_index.astype(np.int32),
        "uncertainty": np.where(valid, result.uncertainty, np.float32(1)),
        "truncated": np.asarray(truncated, bool),
        "is_late": np.asarray(is_late, bool),
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
