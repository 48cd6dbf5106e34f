"""The Open Inference Protocol, version 2: bodies read and written.

https://github.com/kserve/open-inference-protocol. A request has the tensor
`text`, BYTES `[B]`, may have `text_b`, and `speed`, FP32 `[B]`. `speed` for
all rows, `deadline_millis` and `late` are parameters of the request or of
`text`. Triton's parameter `timeout` is a deadline in microseconds.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from .binary_tensors import read_tensor, split_body, write_tensor
from .errors import brief, refuse
from .query import Query, check_known, options, read_json
from .reply import OUTPUTS, Columns, as_json

HEADER_LENGTH = "Inference-Header-Content-Length"
INPUTS = {"text": "BYTES", "text_b": "BYTES", "speed": "FP32"}
_OPTIONS = ("speed", "deadline_millis", "late", "timeout")
_MAX_TIMEOUT = 1 << 62  # What is above becomes no float, and is refused.


@dataclasses.dataclass(frozen=True)
class Format:
    """How a request wants its answer.

    Args:
        outputs: name to whether it is to be binary.
        request_id: str that the answer repeats, or None.
    """

    outputs: Mapping[str, bool]
    request_id: str | None

    def write(
        self, reply: Columns, name: str, version: str
    ) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of the answer.

        Args:
            reply: of `columns`.
            name, version: str, of the model.
        """
        outputs, tensors = [], []
        for output, is_binary in self.outputs.items():
            column, datatype = reply[output], OUTPUTS[output]
            entry = {
                "name": output,
                "datatype": datatype,
                "shape": list(column.shape),
            }
            if is_binary:
                tensors.append(write_tensor(datatype, column))
                entry["parameters"] = {"binary_data_size": len(tensors[-1])}
            else:
                entry["data"] = _flat(as_json(column))
            outputs.append(entry)
        content = {"model_name": name, "model_version": version}
        if self.request_id is not None:
            content["id"] = self.request_id
        text = json.dumps(content | {"outputs": outputs}).encode("ascii")
        if not tensors:
            return text, {"Content-Type": "application/json"}
        headers = {
            "Content-Type": "application/octet-stream",
            HEADER_LENGTH: str(len(text)),
        }
        return b"".join([text, *tensors]), headers


def read_request(
    body: bytes, header_length: str | None = None
) -> tuple[Query, Format]:
    """What a body asks, and how it wants the answer.

    Args:
        body: of `infer`.
        header_length: as of `split_body`.

    Raises:
        RequestError: 400, the body is not a request.
    """
    text, tensors = split_body(body, header_length)
    content = read_json(text)
    check_known("field", content, ("id", "parameters", "inputs", "outputs"))
    given = _object(content, "parameters")
    is_binary = given.pop("binary_data_output", False)
    values, of_text = _read_inputs(content.get("inputs"), tensors)
    given |= of_text
    check_known("parameter", given, _OPTIONS)
    if "speed" in values:
        given["speed"] = values["speed"]
    if "timeout" in given:
        given.setdefault("deadline_millis", _millis(given["timeout"]))
    query = Query(values["text"], values.get("text_b"), **options(given))
    return query, _read_format(content, is_binary)


def _millis(timeout: Any) -> Any:
    """Milliseconds of microseconds; what is no whole number as it is."""
    if type(timeout) is not int:
        return str(timeout)
    return min(max(timeout, -1), _MAX_TIMEOUT) / 1000


def _read_inputs(
    inputs: Any, tensors: bytes
) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """The values of every input, and the parameters of `text`."""
    if not isinstance(inputs, list) or not inputs:
        refuse("`inputs` must be a list with the tensor `text`.")
    values, of_text = {}, {}
    for tensor in inputs:
        if not isinstance(tensor, dict):
            refuse(f"`inputs` must hold objects. Received: {brief(tensor)}.")
        name = tensor.get("name")
        _check_tensor(name, tensor, values)
        parameters = _object(tensor, "parameters")
        size = parameters.pop("binary_data_size", None)
        if size is None:
            data = tensor.get("data")
        else:
            _check_size(name, size, len(tensors))
            data = read_tensor(name, INPUTS[name], tensors[:size])
            tensors = tensors[size:]
        values[name] = _checked_data(name, tensor["shape"], data)
        if name == "text":
            of_text = parameters
        else:
            check_known(f"parameter of `{name}`", parameters, ())
    if tensors:
        refuse(f"{len(tensors)} bytes follow the last binary tensor.")
    if "text" not in values:
        refuse("`inputs` must hold the tensor `text`.")
    return values, of_text


def _check_tensor(
    name: Any, tensor: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    if not isinstance(name, str) or name not in INPUTS:
        refuse(f"Unknown input: {brief(name)}. Expected: {list(INPUTS)}.")
    if name in values:
        refuse(f"The input `{name}` is there twice.")
    if tensor.get("datatype") != INPUTS[name]:
        refuse(
            f"`{name}` must be of datatype {INPUTS[name]}. Received: "
            f"{brief(tensor.get('datatype'))}."
        )
    shape = tensor.get("shape")
    is_list = isinstance(shape, list) and len(shape) in (1, 2)
    is_whole = is_list and all(
        type(size) is int and size >= 0 for size in shape
    )
    if not is_whole or shape[1:] not in ([], [1]):
        refuse(f"`{name}` must have shape [B]. Received: {brief(shape)}.")


def _check_size(name: str, size: Any, available: int) -> None:
    if type(size) is not int or not 0 <= size <= available:
        refuse(
            f"`binary_data_size` of `{name}` must be in [0, {available}], the "
            f"bytes that are there. Received: {brief(size)}."
        )


def _checked_data(name: str, shape: list[int], data: Any) -> list[Any]:
    """The data of `[B]` or `[B, 1]`, flat."""
    if not isinstance(data, list):
        refuse(f"`{name}` must have `data`, a list. Received: {brief(data)}.")
    if len(shape) == 2 and all(isinstance(x, list) for x in data):
        if any(len(row) != 1 for row in data):
            refuse(f"`{name}` must have one value a row, as its shape says.")
        data = [value for (value,) in data]
    if len(data) != math.prod(shape):
        refuse(
            f"`{name}` must have as many values as its shape says. Received: "
            f"{len(data)} values of shape {shape}."
        )
    return data


def _read_format(content: Mapping[str, Any], is_binary: Any) -> Format:
    request_id = content.get("id")
    if not isinstance(request_id, str | None):
        refuse(f"`id` must be a string. Received: {brief(request_id)}.")
    wanted = content.get("outputs")
    if wanted is None:
        wanted = [{"name": name} for name in OUTPUTS]
    if not isinstance(wanted, list):
        refuse(f"`outputs` must be a list. Received: {brief(wanted)}.")
    outputs = {}
    for output in wanted:
        if not isinstance(output, dict):
            refuse(f"`outputs` must hold objects. Received: {brief(output)}.")
        name = output.get("name")
        if not isinstance(name, str) or name not in OUTPUTS:
            refuse(f"Unknown output: {brief(name)}. Expected: {list(OUTPUTS)}.")
        parameters = _object(output, "parameters")
        check_known(f"parameter of `{name}`", parameters, ("binary_data",))
        outputs[name] = parameters.get("binary_data", is_binary)
    for name, choice in outputs.items():
        if not isinstance(choice, bool):
            refuse(
                f"`{name}` must be binary or not. Received: {brief(choice)}."
            )
    return Format(outputs, request_id)


def _object(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A copy of the object of that name, empty where there is none."""
    value = parent.get(name, {})
    if not isinstance(value, dict):
        refuse(f"`{name}` must be an object. Received: {brief(value)}.")
    return dict(value)


def _flat(values: list[Any]) -> list[Any]:
    if values and isinstance(values[0], list):
        return [value for row in values for value in row]
    return values
