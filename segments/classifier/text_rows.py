"""Texts in the forms that callers hold, as rows of a preprocessor."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastbert_tf import TextPreprocessor

_INFINITE = -1  # As `tf.data.INFINITE_CARDINALITY`.


class TextRows(NamedTuple):
    """B texts, or B pairs of texts.

    Args:
        texts: sequence of str or bytes.
        texts_b: the second text of each row, or None.
    """

    texts: Sequence[Any]
    texts_b: Sequence[Any] | None = None

    @classmethod
    def of(cls, texts: Any, texts_b: Any, pairs: bool | None) -> TextRows:
        """What `predict` was given, once it is checked.

        Args:
            texts, texts_b: as of `as_texts`; `texts_b` may be None.
            pairs: bool, whether the model is one of pairs; None if that is
                not known.

        Raises:
            TypeError: they are not sequences of strings.
            ValueError: there are pairs where the model was trained on single
                texts, or the reverse, or not as many of both.
        """
        check_pairs(texts_b is not None, pairs)
        texts = as_texts(texts, "texts")
        if texts_b is None:
            return cls(texts)
        texts_b = as_texts(texts_b, "texts_b")
        if len(texts) != len(texts_b):
            raise ValueError(
                "`texts` and `texts_b` must have the same number of rows. "
                f"Received: {len(texts)} and {len(texts_b)}. Pass one second "
                "text for every first text."
            )
        return cls(texts, texts_b)

    @property
    def num_rows(self) -> int:
        """B."""
        return len(self.texts)

    def part(self, rows: slice) -> TextRows:
        """Some rows that follow each other."""
        pairs = None if self.texts_b is None else self.texts_b[rows]
        return TextRows(self.texts[rows], pairs)

    def encode(
        self, preprocessor: TextPreprocessor
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The inputs of all rows, int32 `[B, S]`, and bool `[B]`: truncated."""
        inputs, truncated = preprocessor.encode(self.texts, self.texts_b)
        arrays = {name: np.asarray(x) for name, x in inputs.items()}
        return arrays, np.asarray(truncated)


def check_are_pairs(pairs: bool | None) -> None:
    """Refuses what is neither yes, no nor unknown."""
    if not isinstance(pairs, bool | None):
        raise ValueError(
            "`pairs` must be True, False or None. Received: "
            f"pairs={pairs!r}. Pass what the model was trained on."
        )


def check_pairs(are_pairs: bool, pairs: bool | None) -> None:
    """Refuses pairs where the model is of single texts, and the reverse."""
    if pairs and not are_pairs:
        raise ValueError(
            "The model was trained on pairs of texts. Received: single "
            "texts. Pass the second text of each row as `texts_b`."
        )
    if pairs is False and are_pairs:
        raise ValueError(
            "The model was trained on single texts. Received: pairs of "
            "texts. Leave out the second texts (`texts_b`)."
        )


def as_texts(texts: Any, name: str) -> Sequence[Any]:
    """Texts as a list, tuple or array of B strings, checked.

    Args:
        texts: any sequence or array of strings, as a list, a NumPy array, a
            pandas Series or a tensor, or a finite `tf.data.Dataset` of
            strings or of batches of them. Bytes are read as UTF-8.
        name: str, the argument's name in messages.

    Raises:
        TypeError: it is something else.
        ValueError: it has not exactly one axis, or no end.
    """
    texts = as_sequence(texts, name)
    if getattr(texts, "dtype", np.dtype(object)).kind not in "SUT":
        check_strings(texts, name)
    return texts


def as_sequence(values: Any, name: str) -> Sequence[Any]:
    """A list, tuple or array `[B]`; what it holds is not looked at."""
    if isinstance(values, str | bytes):
        raise TypeError(
            f"`{name}` must be a list of strings. Received: one "
            f"{type(values).__name__}. Pass a list that holds it."
        )
    if isinstance(values, list | tuple):
        return values
    if _is_dataset(values):
        return list(_dataset_items(values, name))
    if hasattr(values, "__array__"):
        return _one_axis(np.asarray(values), name)
    if isinstance(values, Sequence):
        return list(values)
    remedy = "Pass a list."
    if isinstance(values, Iterator):
        remedy = "Pass a list of what it yields, or call `predict_stream`."
    raise TypeError(
        f"`{name}` must be a list, an array or a dataset. Received: "
        f"{type(values).__name__}. {remedy}"
    )


def check_strings(texts: Iterable[Any], name: str, start: int = 0) -> None:
    """Refuses what is no string, by its place, the first being `start`."""
    for place, text in enumerate(texts, start):
        if not isinstance(text, str | bytes):
            raise TypeError(
                f"`{name}` must hold strings. Received: {name}[{place}] of "
                f"type {type(text).__name__}. Pass an empty string for a "
                "missing text."
            )


def stream_rows(
    items: Iterable[Any], num_rows: int, pairs: bool | None
) -> Iterator[TextRows]:
    """The items of a stream, `num_rows` at a time, read as they are wanted.

    Args:
        items: iterable of strings or of pairs of strings, or a
            `tf.data.Dataset` of either.
        num_rows: int, the most that are held at once.
        pairs: bool, as of `TextRows.of`.

    Raises:
        TypeError: `items` is no iterable, or an item is neither.
        ValueError: a single text where the model, or the item before, is of
            pairs, or the reverse.
    """
    if isinstance(items, str | bytes) or not isinstance(items, Iterable):
        raise TypeError(
            "`iterable` must yield strings, or pairs of strings. Received: "
            f"{type(items).__name__}. Pass a list or a generator."
        )
    if _is_dataset(items):
        items = _dataset_items(items, "iterable")
    return _stream(iter(items), num_rows, pairs)


def _stream(
    items: Iterator[Any], num_rows: int, pairs: bool | None
) -> Iterator[TextRows]:
    start = 0
    while chunk := list(itertools.islice(items, num_rows)):
        if pairs is None:
            pairs = _is_pair(chunk[0])
        for item in chunk:
            check_pairs(_is_pair(item), pairs)
        columns = zip(*chunk, strict=True) if pairs else [chunk]
        rows = TextRows(*map(list, columns))
        for column in rows[: 1 + pairs]:
            check_strings(column, "iterable", start)
        yield rows
        start += len(chunk)


def _is_pair(item: Any) -> bool:
    return isinstance(item, list | tuple) and len(item) == 2


def _one_axis(array: np.ndarray, name: str) -> np.ndarray:
    if array.ndim != 1:
        raise ValueError(
            f"`{name}` must have one axis. Received: shape={array.shape}. "
            "Pass one column, and the second text of each row as `texts_b`."
        )
    return array


def _is_dataset(value: Any) -> bool:
    """Whether it is a `tf.data.Dataset`; TensorFlow need not be there."""
    return hasattr(value, "as_numpy_iterator")


def _dataset_items(dataset: Any, name: str) -> Iterator[Any]:
    """Strings, or tuples of them, of single elements or of batches."""
    if int(dataset.cardinality()) == _INFINITE and name != "iterable":
        raise ValueError(
            f"`{name}` must end. Received: a dataset that repeats for ever. "
            "Take a part of it, or call `predict_stream`."
        )
    for element in dataset.as_numpy_iterator():
        parts = element if isinstance(element, tuple) else (element,)
        if isinstance(parts[0], np.ndarray):
            columns = [_one_axis(part, name).tolist() for part in parts]
        else:
            columns = [[part] for part in parts]
        is_tuple = len(columns) > 1
        yield from zip(*columns, strict=True) if is_tuple else columns[0]
