"""What is told of an answer."""

import numpy as np

from fastbert_tf import ExitResult
from fastbert_tf.export.answer_json import records
from fastbert_tf.segments.text_classifier import Prediction


def prediction(*logits: list[float]) -> Prediction:
    rows = len(logits)
    result = ExitResult(
        np.array(logits, np.float32),
        np.full(rows, 1 / 3, np.float32),
        np.arange(rows, dtype=np.int32),
    )
    return Prediction(result, np.arange(rows) == 1)


def test_an_answer_is_told_by_label_and_in_seven_digits() -> None:
    one, other = records(prediction([0.0, 1.0], [3.0, 0.0]), ["a", "b"])
    assert one == {
        "label": "b",
        "probability": 0.7310586,
        "probabilities": [0.2689414, 0.7310586],
        "uncertainty": 0.3333333,
        "exit_index": 0,
        "truncated": False,
    }
    assert (other["label"], other["truncated"]) == ("a", True)


def test_without_labels_the_class_id_is_told() -> None:
    (record,) = records(prediction([0.0, 1.0]), None)
    assert record["label"] == 1


def test_a_row_without_an_answer_has_an_error_and_no_numbers() -> None:
    _, record = records(prediction([0.0, 1.0], [0.0, np.nan]), ["a", "b"])
    assert record == {
        "label": None,
        "error": "the logits are not finite at any exit",
        "exit_index": 1,
        "truncated": True,
    }
