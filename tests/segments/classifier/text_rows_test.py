import collections
import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.segments.classifier.text_rows import (
    TextRows,
    as_texts,
    stream_rows,
)

from ...tiny_texts import PAIRS, TEXTS


class Series:
    """What pandas' is, as far as it matters: rows by a label, an array."""

    def __init__(self, values: list[Any]) -> None:
        self._values = dict(enumerate(values, 50))

    def __getitem__(self, label: int) -> Any:
        return self._values[label]

    def __len__(self) -> int:
        return len(self._values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array([*self._values.values()], dtype or object)


FORMS = {
    "tuple": tuple(TEXTS),
    "array of objects": np.array(TEXTS, object),
    "array of strings": np.array(TEXTS),
    "strings of NumPy 2": np.array(TEXTS, np.dtypes.StringDType()),
    "series": Series(TEXTS),
    "deque": collections.deque(TEXTS),
    "bytes": [text.encode() for text in TEXTS],
    "tensor": tf.constant(TEXTS),
    "dataset": tf.data.Dataset.from_tensor_slices(TEXTS),
    "batches": tf.data.Dataset.from_tensor_slices(TEXTS).batch(3),
}


def as_strings(texts: Iterable[str | bytes]) -> list[str]:
    return [x.decode() if isinstance(x, bytes) else str(x) for x in texts]


@pytest.mark.parametrize("form", FORMS)
def test_texts_come_in_many_forms(form: str) -> None:
    assert as_strings(as_texts(FORMS[form], "texts")) == TEXTS


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("a good film", TypeError, "Received: one str. Pass a list"),
        (b"a good film", TypeError, "Received: one bytes. Pass a list"),
        (["good", None], TypeError, r"texts\[1\] of type NoneType"),
        (["good", "bad", "dull", 3], TypeError, r"texts\[3\] of type int"),
        ([("a", "b")], TypeError, r"texts\[0\] of type tuple"),
        (Series(["good", np.nan]), TypeError, r"texts\[1\] of type float"),
        (np.arange(3), TypeError, r"texts\[0\] of type int"),
        (np.full((2, 1, 1), "good"), ValueError, r"shape=\(2, 1, 1\)"),
        (np.array("good"), ValueError, r"shape=\(\)"),
        (iter(["good"]), TypeError, "call `predict_stream`"),
        ({"good", "bad"}, TypeError, "Received: set"),
        (None, TypeError, "Received: NoneType"),
        (7, TypeError, "Received: int"),
        (
            tf.data.Dataset.from_tensors("good").repeat(),
            ValueError,
            "must end",
        ),
        (
            tf.data.Dataset.from_tensors(("good", "bad")),
            TypeError,
            r"texts\[0\] of type tuple",
        ),
    ],
)
def test_what_is_no_list_of_texts_is_refused(
    texts: Any, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        as_texts(texts, "texts")


@pytest.mark.parametrize("form", ["tuple", "series", "strings of NumPy 2"])
def test_a_part_of_the_rows_is_by_place(form: str) -> None:
    rows = TextRows.of(FORMS[form], Series(PAIRS), None)
    texts, pairs = rows.part(slice(2, 4))
    assert (as_strings(texts), list(pairs)) == (TEXTS[2:4], PAIRS[2:4])


@pytest.mark.parametrize(
    "make",
    [
        lambda pairs: pairs,
        lambda pairs: (list(pair) for pair in pairs),
        lambda pairs: tf.data.Dataset.from_tensor_slices((TEXTS, PAIRS)),
        lambda pairs: tf.data.Dataset.from_tensor_slices((TEXTS, PAIRS)).batch(
            3
        ),
    ],
)
def test_a_stream_of_pairs_is_cut_into_rows(make: Any) -> None:
    items = make(list(zip(TEXTS, PAIRS, strict=True)))
    parts = list(stream_rows(items, 3, True))
    assert [part.num_rows for part in parts] == [3, 3, 1]
    texts, pairs = zip(*parts, strict=True)
    assert as_strings(itertools.chain(*texts)) == TEXTS
    assert as_strings(itertools.chain(*pairs)) == PAIRS


@pytest.mark.parametrize(
    ("items", "error", "message"),
    [
        (["good", "bad", None], TypeError, r"iterable\[2\] of type NoneType"),
        (["good", ("a", "b")], ValueError, "Received: pairs of texts"),
        ([("a", "b"), "good"], ValueError, "Received: single texts"),
        ([("a", 3)], TypeError, r"iterable\[0\] of type int"),
        ([("a", "b", "c")], TypeError, r"iterable\[0\] of type tuple"),
        ("good", TypeError, "Received: str"),
        (None, TypeError, "Received: NoneType"),
    ],
)
def test_what_is_no_stream_of_texts_is_refused(
    items: Any, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        list(stream_rows(items, 2, None))
