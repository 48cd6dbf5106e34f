"""The labels that rows are known to have, as callers give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .text_rows import as_sequence


def true_labels(
    labels: Any, names: Sequence[str | int], num_rows: int
) -> list[str | int]:
    """Labels as a list of plain values, each of which a model knows.

    Args:
        labels: list, array or pandas Series of class names.
        names: C names or numbers of the classes.
        num_rows: int, as many are wanted.

    Raises:
        TypeError: they are no list.
        ValueError: a label is unknown, there are none, or not so many.
    """
    labels = [_plain(label) for label in as_sequence(labels, "labels")]
    if len(labels) != num_rows or not labels:
        raise ValueError(
            "`labels` must be one a text, and 1 or more. Received: "
            f"{len(labels)} labels and {num_rows} texts."
        )
    unknown = sorted({repr(label) for label in labels if label not in names})
    if unknown:
        raise ValueError(
            f"`labels` must be of {list(names)}, the classes of the model. "
            f"Received: {', '.join(unknown[:10])}. Use the names it was "
            "trained on."
        )
    return labels


def _plain(label: Any) -> Any:
    """A label without NumPy's type around it, and text in place of bytes."""
    label = label.item() if isinstance(label, np.generic) else label
    return label.decode() if isinstance(label, bytes) else label
