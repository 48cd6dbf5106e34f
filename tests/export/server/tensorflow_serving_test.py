"""Bodies of TensorFlow Serving's REST API."""

import json
from typing import Any

import numpy as np
import pytest

from fastbert_tf.export.server import tensorflow_serving
from fastbert_tf.export.server.errors import RequestError

REPLY = {
    "label": np.array(["x", "y"], object),
    "probabilities": np.array([[0.25, 0.75], [1, 0]], np.float32),
}


def read(content: Any) -> Any:
    return tensorflow_serving.read_request(json.dumps(content).encode())


@pytest.mark.parametrize(
    "content",
    [
        {"instances": ["a", "b"]},
        {"instances": [{"text": "a"}, {"text": "b"}]},
        {"inputs": ["a", "b"], "signature_name": "serving_default"},
        {"inputs": {"text": ["a", "b"]}},
    ],
)
def test_texts_come_in_rows_and_columns(content: Any) -> None:
    query, form = read(content)
    assert query.texts == ["a", "b"]
    assert form.in_rows == ("instances" in content)


def test_all_inputs_come_in_rows() -> None:
    rows = [
        {"text": "a", "text_b": "c", "speed": 0},
        {"text": "b", "text_b": "d", "speed": 1},
    ]
    content = {"instances": rows, "deadline_millis": 500, "late": "deepest"}
    query, _ = read(content)
    assert query.pairs == ["c", "d"]
    assert query.speed.tolist() == [0, 1]
    assert (query.deadline_seconds, query.late) == (0.5, "deepest")


@pytest.mark.parametrize("speed", [0.5, [0.5, 0.5]])
def test_a_column_of_speeds_may_be_one_number(speed: Any) -> None:
    query, _ = read({"inputs": {"text": ["a", "b"], "speed": speed}})
    assert np.all(query.speed == 0.5)


def test_bytes_come_in_base64() -> None:
    query, _ = read({"instances": [{"b64": "Yf8="}, "b"]})
    assert query.texts == [b"a\xff", "b"]
    query, _ = read({"instances": [{"text": {"b64": "Yf8="}}]})
    assert query.texts == [b"a\xff"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "either `instances` or `inputs`"),
        ({"instances": ["a"], "inputs": ["a"]}, "either"),
        ({"instances": "a"}, "must be a list"),
        ({"instances": []}, "1 text or more"),
        ({"instances": [1]}, "must all be texts"),
        ({"instances": ["a", {"text": "b"}]}, "must all be texts"),
        ({"instances": [{"text": "a"}, "b"]}, "objects of the same names"),
        ({"instances": [{"text": "a"}, {"text_b": "b"}]}, "in row 1"),
        ({"instances": [{"texts": "a"}]}, "Unknown input: \\['texts'\\]"),
        ({"instances": [{"text": ["a"]}]}, "must hold strings"),
        ({"instances": [{"b64": "not base64"}]}, "in base64"),
        ({"instances": [{"b64": 3}]}, "in base64"),
        ({"instances": [{"text": "a", "speed": None}]}, "`speed` must be"),
        ({"inputs": 3}, "list of texts or an object"),
        ({"inputs": {"text": "a"}}, "`text` must be a list"),
        ({"inputs": {"speed": [0.5]}}, "`text` is missing"),
        ({"inputs": ["a"], "signature_name": "other"}, "'other'"),
        ({"inputs": ["a"], "signature_name": []}, "must be serving_default"),
        ({"inputs": ["a"], "speed": 0.5}, "Unknown field"),
    ],
)
def test_a_malformed_request_is_refused(content: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        read(content)
    assert caught.value.status == 400


def test_answers_come_as_they_were_asked() -> None:
    form = tensorflow_serving.Format(in_rows=True)
    body, _ = form.write(REPLY, "fastbert", "1")
    assert json.loads(body) == {
        "predictions": [
            {"label": "x", "probabilities": [0.25, 0.75]},
            {"label": "y", "probabilities": [1, 0]},
        ]
    }
    form = tensorflow_serving.Format(in_rows=False)
    body, _ = form.write(REPLY, "fastbert", "1")
    columns = {"label": ["x", "y"], "probabilities": [[0.25, 0.75], [1, 0]]}
    assert json.loads(body) == {"outputs": columns}
