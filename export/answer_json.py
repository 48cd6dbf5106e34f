"""JSON form of predictions, one object a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastbert_tf.segments import (
    NOT_FINITE,
    Prediction,
    TextAnswers,
    rounded,
)

__all__ = ["NOT_FINITE", "records", "rounded"]


def records(
    prediction: Prediction, labels: Sequence[str] | None
) -> list[dict[str, Any]]:
    """`TextAnswers.to_dicts` of a `Prediction`."""
    return TextAnswers(*prediction, labels).to_dicts()
