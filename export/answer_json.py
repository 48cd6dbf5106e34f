"""What is told of an answer, one JSON object a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastbert_tf.segments import Prediction

NOT_FINITE = "the logits are not finite at any exit"


def records(
    prediction: Prediction, labels: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    """The JSON object of every row, as `fastbert-predict` writes it.

    Args:
        prediction: `Prediction` of B rows.
        labels: C class names in the order of the logits; None tells the
            class id instead.

    Yields:
        B dicts of `label`, `probability`, `probabilities`, `uncertainty`,
        `exit_index` and `truncated`. A row without an answer has `error` and
        no numbers, its label being None.
    """
    result, truncated = prediction
    for i, is_valid in enumerate(result.is_valid):
        if not is_valid:
            yield {
                "label": None,
                "error": NOT_FINITE,
                "exit_index": int(result.exit_index[i]),
                "truncated": bool(truncated[i]),
            }
            continue
        label = int(result.labels[i])
        probabilities = [rounded(p) for p in result.probabilities[i]]
        yield {
            "label": labels[label] if labels else label,
            "probability": probabilities[label],
            "probabilities": probabilities,
            "uncertainty": rounded(result.uncertainty[i]),
            "exit_index": int(result.exit_index[i]),
            "truncated": bool(truncated[i]),
        }


def rounded(value: Any) -> float:
    """Seven digits, all that float32 holds."""
    return float(f"{float(value):.7g}")
