import math

import numpy as np
import pytest

from fastbert_tf import ExitResult
from fastbert_tf.segments import TextAnswers

NAMES = ("neg", "pos")


def answers(
    *logits: list[float], names: tuple[str, ...] | None = NAMES
) -> TextAnswers:
    """Rows that left at M0, M1, ..., the second of them truncated."""
    rows = len(logits)
    result = ExitResult(
        np.array(logits, np.float32).reshape(rows, 2),
        np.full(rows, 1 / 3, np.float32),
        np.arange(rows, dtype=np.int32),
    )
    return TextAnswers(result, np.arange(rows) == 1, names)


TWO = answers([0.0, 1.0], [3.0, 0.0])
BROKEN = answers([0.0, 1.0], [0.0, np.nan])


def test_they_iterate_over_label_names() -> None:
    assert list(TWO) == TWO.labels == ["pos", "neg"]
    assert len(TWO) == 2
    assert np.asarray(TWO).tolist() == ["pos", "neg"]


def test_without_names_labels_are_class_numbers() -> None:
    assert list(answers([0.0, 1.0], names=None)) == [1]


def test_numbers_are_arrays_of_all_rows() -> None:
    assert TWO.probabilities.shape == (2, 2)
    np.testing.assert_allclose(TWO.probabilities.sum(1), 1, rtol=1e-6)
    assert TWO.exit_index.tolist() == [0, 1]
    assert TWO.uncertainty.dtype == np.float32
    assert TWO.truncated.tolist() == [False, True]


def test_an_index_gives_one_answer() -> None:
    answer = TWO[-1]
    assert answer == TWO[1]
    assert (answer.label, answer.exit_index) == ("neg", 1)
    assert (answer.truncated, answer.is_late) == (True, False)
    assert answer.probability == max(answer.probabilities)
    with pytest.raises(IndexError):
        TWO[2]


def test_a_slice_gives_answers() -> None:
    assert list(TWO[1:]) == ["neg"]
    assert TWO[1:].truncated.tolist() == [True]
    assert list(TWO[:0]) == []


def test_answers_are_joined_in_order() -> None:
    joined = TextAnswers.concatenate([TWO[1:], TWO[:0], TWO])
    assert list(joined) == ["neg", "pos", "neg"]
    assert joined.truncated.tolist() == [True, False, True]


def test_a_dict_has_seven_digits() -> None:
    one, other = TWO.to_dicts()
    assert one == {
        "label": "pos",
        "probability": 0.7310586,
        "probabilities": [0.2689414, 0.7310586],
        "uncertainty": 0.3333333,
        "exit_index": 0,
        "truncated": False,
    }
    assert (other["label"], other["truncated"]) == ("neg", True)


def test_a_row_without_an_answer_has_an_error_and_no_numbers() -> None:
    assert list(BROKEN) == ["pos", None]
    assert math.isnan(BROKEN[1].probability)
    assert BROKEN.to_dicts()[1] == {
        "label": None,
        "error": "the logits are not finite at any exit",
        "exit_index": 1,
        "truncated": True,
    }


def test_they_print_a_line_a_row_and_not_many() -> None:
    many = answers(*[[0.0, 1.0]] * 1_000)
    assert repr(BROKEN) == (
        "TextAnswers, 2 rows\n"
        "0: 'pos', probability 0.731, uncertainty 0.333, M0\n"
        "1: None (the logits are not finite at any exit)"
    )
    assert repr(TWO[1]) == (
        "TextAnswer('neg', probability 0.953, uncertainty 0.333, M1, truncated)"
    )
    assert repr(many).endswith("M4\n... and 995 more")
    assert repr(TWO[:0]) == "TextAnswers, 0 rows"
