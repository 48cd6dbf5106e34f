"""Outputs of rows, those without an answer among them."""

import json

import numpy as np

from fastbert_tf import ExitResult
from fastbert_tf.export.server.reply import OUTPUTS, columns, rows
from fastbert_tf.segments import TextAnswers


def reply(names: list[str]) -> dict[str, np.ndarray]:
    logits = np.array([[0, 3], [np.nan, 1], [9, 2]], np.float32)
    uncertainty = np.array([0.25, np.nan, 0.1], np.float32)
    result = ExitResult(logits, uncertainty, np.array([0, 1, 1], np.int32))
    late = np.array([False, False, True])
    truncated = np.array([True, False, False])
    return columns(TextAnswers(result, truncated, names, late))


def test_every_output_has_a_value_a_row() -> None:
    made = reply(["x", "y"])
    assert list(made) == list(OUTPUTS)
    assert made["label"].tolist() == ["y", "", "x"]
    assert made["exit_index"].tolist() == [0, 1, 1]
    assert made["truncated"].tolist() == [True, False, False]
    assert made["is_late"].tolist() == [False, False, True]


def test_a_row_without_an_answer_has_an_error_and_no_nan() -> None:
    made = list(rows(reply(["x", "y"])))
    json.dumps(made, allow_nan=False)
    assert made[1]["error"] == "the logits are not finite at any exit"
    assert (made[1]["label_id"], made[1]["uncertainty"]) == (-1, 1)
    assert [row["error"] for row in made[::2]] == ["", ""]


def test_floats_have_seven_digits() -> None:
    (row, *_) = rows(reply(["x", "y"]))
    assert row["probabilities"] == [0.04742587, 0.9525741]
