"""From lists of texts and labels to a trained classifier."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from .stages import TrainingSettings
from .tables import Trained, train_tables

# Of the rows of each class, where no dev rows are given.
DEV_SHARE = 0.1


def train_classifier(
    texts: Any,
    labels: Any,
    checkpoint: str | os.PathLike[str],
    texts_b: Any = None,
    settings: TrainingSettings | None = None,
    *,
    dev_texts: Any = None,
    dev_labels: Any = None,
    dev_texts_b: Any = None,
    seed: int = 7,
    **options: Any,
) -> Trained:
    """Both stages, on texts in memory; progress goes to the terminal.

    Without dev rows, a tenth of each class (at least one row of a class that
    has two) is kept apart to choose the best epoch by, drawn with `seed`.

    Args:
        texts: N strings: list, tuple, array, a pandas Series, a column of a
            `datasets.Dataset`. With `labels=None`, a table of those columns:
            a pandas frame or a `datasets.Dataset` with `label`, `text_a` (or
            `text`) and, for pairs, `text_b`.
        labels: N strings or whole numbers; numbers count from 0.
        checkpoint: a folder, a `.bin` file or a hub name, as of
            `FastBertClassifier.from_pretrained`.
        texts_b: the second text of each row, for pairs.
        settings: `TrainingSettings`; the published ones by default.
        dev_texts, dev_labels, dev_texts_b: the same, to choose by.
        seed: int, of the split, fresh weights, dropout and shuffling.
        **options: of `train_tables`: `batch_size`, `sequence_length`,
            `num_layers`, `distill_path` and so on.

    Returns:
        `Trained`: model, preprocessor and labels.

    Raises:
        TypeError: a text or a label is of another kind.
        ValueError: sizes differ, there are fewer than two classes, or too
            few rows to keep some apart.

    Example:

    ```python
    trained = train_classifier(texts, labels, "bert-base-uncased/")
    trained.save("model/")
    ```
    """
    rows = _rows(texts, labels, texts_b)
    if dev_texts is None:
        train, dev = _split(rows, seed)
    else:
        train, dev = rows, _rows(dev_texts, dev_labels, dev_texts_b)
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, f"{x}.jsonl") for x in ("train", "dev")]
        for path, part in zip(paths, (train, dev), strict=True):
            _write(path, part)
        return train_tables(*paths, checkpoint, settings, seed=seed, **options)


def _rows(texts: Any, labels: Any, texts_b: Any) -> list[dict[str, str]]:
    """The rows of a JSONL table."""
    if labels is None:
        texts, labels, texts_b = _columns(texts)
    columns = {
        "label": [_label(x, i) for i, x in enumerate(_list(labels, "labels"))],
        "text_a": [_text(x, i) for i, x in enumerate(_list(texts, "texts"))],
    }
    if texts_b is not None:
        second = _list(texts_b, "texts_b")
        columns["text_b"] = [_text(x, i) for i, x in enumerate(second)]
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1 or not sizes["label"]:
        raise ValueError(
            "Texts and labels must be as many, and 1 or more. Received: "
            f"{sizes}. Pass one label for every text."
        )
    values = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]


def _columns(table: Any) -> tuple[Any, Any, Any]:
    """Texts, labels and second texts of a frame or a `datasets.Dataset`."""
    names = getattr(table, "column_names", getattr(table, "columns", ()))
    names = list(names)
    text = "text_a" if "text_a" in names else "text"
    if "label" not in names or text not in names:
        raise ValueError(
            "Without `labels`, `texts` must be a table with the columns "
            f"`label` and `text_a`. Received: {type(table).__name__} with the "
            f"columns {names}. Pass texts and labels as two lists."
        )
    second = table["text_b"] if "text_b" in names else None
    return table[text], table["label"], second


def _list(values: Any, name: str) -> Sequence[Any]:
    is_text = isinstance(values, str | bytes)
    if is_text or not hasattr(values, "__len__") or np.ndim(values) > 1:
        raise TypeError(
            f"`{name}` must be a list. Received: {type(values).__name__}. "
            "Pass a list, an array or a column."
        )
    return list(values)


def _text(value: Any, place: int) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not isinstance(value, str):
        raise TypeError(
            f"Texts must be strings. Received: {type(value).__name__} in row "
            f"{place}. Pass an empty string for a missing text."
        )
    return str(value)


def _label(value: Any, place: int) -> str:
    is_number = isinstance(value, int | np.integer)
    if isinstance(value, bool | np.bool_) or not (
        isinstance(value, str) or is_number
    ):
        raise TypeError(
            "Labels must be strings or whole numbers. Received: "
            f"{value!r} in row {place}. Name the classes, or number them "
            "from 0."
        )
    return str(value)


def _split(
    rows: list[dict[str, str]], seed: int
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Rows to learn from, and a share of every class to choose by."""
    order = np.random.default_rng(seed).permutation(len(rows)).tolist()
    by_class = {}
    for place in order:
        by_class.setdefault(rows[place]["label"], []).append(place)
    kept = set()
    for places in by_class.values():
        count = round(DEV_SHARE * len(places))
        kept.update(places[: max(count, int(len(places) > 1))])
    if not kept:
        raise ValueError(
            "No row is left to choose the best epoch by: every class has one "
            f"row. Received: {len(rows)} rows of {len(by_class)} classes. "
            "Pass `dev_texts` and `dev_labels`, or more rows."
        )
    train = [row for i, row in enumerate(rows) if i not in kept]
    return train, [row for i, row in enumerate(rows) if i in kept]


def _write(path: str, rows: list[dict[str, str]]) -> None:
    with open(path, "x", encoding="ascii") as file:
        file.writelines(f"{json.dumps(row)}\n" for row in rows)
