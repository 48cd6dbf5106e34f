"""TensorFlow Serving's REST API: predict, in rows and in columns.

https://www.tensorflow.org/tfx/serving/api_rest. A row is a text or an object
of `text`, `text_b` and `speed`; `inputs` is a list of texts or an object of
columns. `deadline_millis` and `late` stand beside them.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from .errors import brief, refuse
from .query import Query, check_known, options, read_json
from .reply import Columns, as_json, rows

SIGNATURE = "serving_default"
_INPUTS = ("text", "text_b", "speed")
_OPTIONS = ("deadline_millis", "late")


class Format:
    """How a request wants its answer.

    Args:
        in_rows: bool, a dict a row rather than a list a column.
    """

    def __init__(self, in_rows: bool) -> None:
        self.in_rows = in_rows

    def write(
        self, reply: Columns, name: str, version: str
    ) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of the answer.

        Args:
            reply: of `columns`.
            name, version: str, of the model, which the protocol leaves out.
        """
        if self.in_rows:
            content = {"predictions": list(rows(reply))}
        else:
            columns = {name: as_json(column) for name, column in reply.items()}
            content = {"outputs": columns}
        headers = {"Content-Type": "application/json"}
        return json.dumps(content).encode("ascii"), headers


def read_request(body: bytes) -> tuple[Query, Format]:
    """What a body asks, and how it wants the answer.

    Raises:
        RequestError: 400, the body is not a request.
    """
    content = read_json(body)
    known = ("signature_name", "instances", "inputs", *_OPTIONS)
    check_known("field", content, known)
    signature = content.get("signature_name", SIGNATURE)
    if signature not in ("", SIGNATURE):
        refuse(
            f"`signature_name` must be {SIGNATURE}. Received: "
            f"{brief(signature)}."
        )
    in_rows = "instances" in content
    if in_rows == ("inputs" in content):
        refuse("The body must have either `instances` or `inputs`.")
    if in_rows:
        values = _from_rows(content["instances"])
    else:
        values = _from_columns(content["inputs"])
    given = {name: content[name] for name in _OPTIONS if name in content}
    if "speed" in values:
        given["speed"] = values["speed"]
    query = Query(values["text"], values.get("text_b"), **options(given))
    return query, Format(in_rows)


def _from_rows(instances: Any) -> dict[str, list[Any]]:
    if not isinstance(instances, list):
        refuse(f"`instances` must be a list. Received: {brief(instances)}.")
    if all(_is_text(row) for row in instances):
        return {"text": [_text(row) for row in instances]}
    first = instances[0]
    is_object = isinstance(first, dict) and not _is_text(first)
    names = first if is_object else {"text": None}
    _check_inputs(names)
    for place, row in enumerate(instances):
        if not isinstance(row, dict) or set(row) != set(names):
            refuse(
                "`instances` must all be texts, or objects of the same names. "
                f"Received: {brief(row)} in row {place}."
            )
    return {name: [_text(row[name]) for row in instances] for name in names}


def _from_columns(inputs: Any) -> dict[str, Any]:
    if isinstance(inputs, list):
        inputs = {"text": inputs}
    if not isinstance(inputs, dict):
        refuse(
            "`inputs` must be a list of texts or an object of lists. "
            f"Received: {brief(inputs)}."
        )
    _check_inputs(inputs)
    for name in ("text", "text_b"):
        column = inputs.get(name, [])
        if not isinstance(column, list):
            refuse(f"`{name}` must be a list. Received: {brief(column)}.")
    return {
        name: [_text(x) for x in column] if isinstance(column, list) else column
        for name, column in inputs.items()
    }


def _check_inputs(names: Mapping[str, Any]) -> None:
    check_known("input", names, _INPUTS)
    if "text" not in names:
        refuse("The input `text` is missing.")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, dict) and set(value) == {"b64"}
    )


def _text(value: Any) -> Any:
    """Bytes of an object with `b64`; anything else as it is."""
    if not isinstance(value, dict) or not _is_text(value):
        return value
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (TypeError, ValueError, binascii.Error):
        refuse("`b64` must be a string in base64.")
