"""Bodies of the Open Inference Protocol."""

import json
from typing import Any

import numpy as np
import pytest

from fastbert_tf.export.server import open_inference
from fastbert_tf.export.server.errors import RequestError
from fastbert_tf.export.server.open_inference import HEADER_LENGTH, Format
from fastbert_tf.export.server.reply import OUTPUTS

TEXT = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}
REPLY = {
    "label": np.array(["fünf", ""], object),
    "label_id": np.array([4, -1], np.int32),
    "probabilities": np.array([[0.25, 0.75], [0, 0]], np.float32),
    "is_late": np.array([True, False]),
}


def read(content: Any, tensors: bytes = b"", length: Any = None) -> Any:
    text = json.dumps(content).encode()
    if length is None and tensors:
        length = str(len(text))
    return open_inference.read_request(text + tensors, length)


def test_every_output_is_answered_where_none_is_named() -> None:
    query, form = read({"id": "7", "inputs": [TEXT]})
    assert query.texts == ["a", "b"]
    assert form == Format(dict.fromkeys(OUTPUTS, False), "7")


@pytest.mark.parametrize("shape", [[2], [2, 1]])
@pytest.mark.parametrize("data", [["a", "b"], [["a"], ["b"]]])
def test_rows_may_be_wrapped_as_their_shape_says(
    shape: list[int], data: list[Any]
) -> None:
    content = {"inputs": [TEXT | {"shape": shape, "data": data}]}
    if shape == [2] and data != ["a", "b"]:
        with pytest.raises(RequestError):
            read(content)
    else:
        assert read(content)[0].texts == ["a", "b"]


def test_options_are_parameters_of_the_request_or_of_the_text() -> None:
    of_text = TEXT | {"parameters": {"speed": 0.75}}
    parameters = {"speed": 0.5, "timeout": 2_000_000, "late": "deepest"}
    query, _ = read({"inputs": [of_text], "parameters": parameters})
    assert query.speed == np.float32(0.75)
    assert (query.deadline_seconds, query.late) == (2.0, "deepest")


def test_tensors_may_be_binary() -> None:
    text = {"name": "text", "datatype": "BYTES", "shape": [2]}
    text["parameters"] = {"binary_data_size": 11}
    speed = {"name": "speed", "datatype": "FP32", "shape": [2]}
    speed["parameters"] = {"binary_data_size": 8}
    tensors = b"\x03\0\0\0a\xffb\0\0\0\0" + np.array([0.5, 1], "<f4").tobytes()
    query, _ = read({"inputs": [text, speed]}, tensors)
    assert query.texts == [b"a\xffb", b""]
    assert query.speed.tolist() == [0.5, 1]


BINARY = {"name": "text", "datatype": "BYTES", "shape": [1]}


@pytest.mark.parametrize(
    ("size", "tensors", "length", "message"),
    [
        (9, b"\1\0\0\0a", None, "in \\[0, 5\\]"),
        (-1, b"\1\0\0\0a", None, "in \\[0, 5\\]"),
        (4, b"\1\0\0\0a", None, "ends inside a string"),
        (3, b"\1\0\0", None, "inside the length"),
        (5, b"\1\0\0\0a!", None, "1 bytes follow"),
        (5, b"\1\0\0\0a", "9999", "Header-Content-Length"),
        (5, b"\1\0\0\0a", "-1", "Header-Content-Length"),
        (5, b"\1\0\0\0a", "٣", "Header-Content-Length"),
    ],
)
def test_malformed_binary_tensors_are_refused(
    size: int, tensors: bytes, length: str | None, message: str
) -> None:
    tensor = BINARY | {"parameters": {"binary_data_size": size}}
    with pytest.raises(RequestError, match=message):
        read({"inputs": [tensor]}, tensors, length)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "`inputs` must be a list"),
        ({"inputs": []}, "`inputs` must be a list"),
        ({"inputs": [3]}, "must hold objects"),
        ({"inputs": [TEXT | {"name": "other"}]}, "Unknown input: 'other'"),
        ({"inputs": [TEXT | {"name": []}]}, "Unknown input"),
        ({"inputs": [TEXT, TEXT]}, "twice"),
        ({"inputs": [TEXT | {"datatype": "FP32"}]}, "datatype BYTES"),
        ({"inputs": [TEXT | {"shape": [3]}]}, "2 values of shape"),
        ({"inputs": [TEXT | {"shape": [-2]}]}, "must have shape"),
        ({"inputs": [TEXT | {"shape": [True]}]}, "must have shape"),
        ({"inputs": [TEXT | {"shape": [1, 2]}]}, "must have shape"),
        ({"inputs": [TEXT | {"data": "a"}]}, "`data`, a list"),
        ({"inputs": [TEXT | {"data": [1, 2]}]}, "must hold strings"),
        ({"inputs": [TEXT | {"parameters": 1}]}, "must be an object"),
        ({"inputs": [TEXT], "speeds": 1}, "Unknown field"),
        ({"inputs": [TEXT], "parameters": {"sped": 1}}, "\\['sped'\\]"),
        ({"inputs": [TEXT], "parameters": {"timeout": 0.5}}, "millis"),
        ({"inputs": [TEXT], "parameters": {"timeout": 10**400}}, "millis"),
        ({"inputs": [TEXT], "id": 7}, "`id` must be a string"),
        ({"inputs": [TEXT], "outputs": {}}, "must be a list"),
        ({"inputs": [TEXT], "outputs": [{"name": "x"}]}, "Unknown output"),
        ({"inputs": [TEXT], "outputs": ["label"]}, "must hold objects"),
        (
            {
                "inputs": [TEXT],
                "outputs": [
                    {"name": "label", "parameters": {"classification": 2}}
                ],
            },
            "classification",
        ),
    ],
)
def test_a_malformed_request_is_refused(content: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        read(content)
    assert caught.value.status == 400


def test_answers_are_written_as_json() -> None:
    form = Format(dict.fromkeys(REPLY, False), "7")
    body, headers = form.write(REPLY, "fastbert", "1")
    content = json.loads(body)
    outputs = content.pop("outputs")
    assert headers == {"Content-Type": "application/json"}
    expected = {"model_name": "fastbert", "model_version": "1", "id": "7"}
    assert content == expected
    assert [x["data"] for x in outputs] == [
        ["fünf", ""],
        [4, -1],
        [0.25, 0.75, 0, 0],
        [True, False],
    ]
    assert outputs[2]["shape"] == [2, 2]


def test_answers_are_written_as_binary_tensors() -> None:
    form = Format({"label": True, "label_id": False, "is_late": True}, None)
    body, headers = form.write(REPLY, "fastbert", "1")
    length = int(headers[HEADER_LENGTH])
    sizes = [
        output.get("parameters")
        for output in json.loads(body[:length])["outputs"]
    ]
    assert sizes == [
        {"binary_data_size": 13},
        None,
        {"binary_data_size": 2},
    ]
    assert body[length:] == b"\5\0\0\0f\xc3\xbcnf\0\0\0\0\1\0"
