"""Requests that nobody means, made from some that are meant."""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from fastbert_tf.export.server.open_inference import HEADER_LENGTH

_TEXT = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}
_SPEED = {"name": "speed", "datatype": "FP32", "shape": [2], "data": [0, 0.5]}
_INFER = "/v2/models/fastbert/infer"
_PREDICT = "/v1/models/fastbert:predict"
_COLUMNS = {"text": ["a", "b"], "speed": 0.5}
_SEEDS = [
    (
        _INFER,
        {
            "id": "7",
            "inputs": [_TEXT, _SPEED],
            "outputs": [{"name": "label", "parameters": {"binary_data": True}}],
        },
    ),
    (
        "/v2/models/fastbert/versions/1/infer",
        {
            "inputs": [_TEXT | {"parameters": {"speed": 0.5}}],
            "parameters": {"deadline_millis": 5000, "late": "deepest"},
        },
    ),
    (_PREDICT, {"instances": ["a", "very good"], "signature_name": ""}),
    (_PREDICT, {"instances": [{"text": {"b64": "YQ=="}, "speed": 0.5}]}),
    (_PREDICT, {"inputs": _COLUMNS, "deadline_millis": 5000}),
    ("/explain", {"text": "a good film"}),
]
_VALUES = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, -(2**70), 10**300, 1e308),
    *(0.1, "", "a", "\0", "\ud800", "\u202e\u0301", "NaN", "x" * 5000),
    *([], {}, [[]], [None], ["a"] * 50, {"": ""}, {"b64": "?"}, {"name": 1}),
    *([[[["a"]]]], "[SEP]", "text", "label", "deepest", float("nan")),
    *(float("inf"), [1, "a"], {"text": "a"}, [0.5, float("nan")]),
]
_PATHS = [
    *("/v1/models/fastbert/versions/1:predict", "/v2/models/x/infer"),
    *("/v2/models/fastbert/", "/v2//models", "/%00", "/v1/models/:predict"),
    *("/v2/models/../infer", "/v2/models/fastbert/versions/-1/infer"),
]
_TYPES = [
    *("application/json", "application/octet-stream", "", "text/plain"),
    *("application/json; charset=utf-16", "multipart/form-data", "\xff"),
]


class FuzzedRequest(NamedTuple):
    """What is sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def fuzzed_requests(count: int, start: int) -> Iterator[FuzzedRequest]:
    """Some of them, the same for the same start."""
    rng = random.Random(start)
    for _ in range(count):
        methods = ["POST", "GET", "PUT", "DELETE", "OPTIONS"]
        method = rng.choices(methods, [40, 1, 1, 1, 1])[0]
        path, seed = rng.choice(_SEEDS)
        body = json.dumps(_changed(rng, seed)).encode()
        if rng.random() < 0.15:
            path = rng.choice(_PATHS)
        headers = {}
        if rng.random() < 0.3:
            headers["content-type"] = rng.choice(_TYPES)
        if rng.random() < 0.2:
            body, length = _with_tensors(rng, body)
            headers[HEADER_LENGTH.lower()] = length
        if rng.random() < 0.25:
            body = _damaged(rng, body)
        yield FuzzedRequest(method, path, headers, body)


def _changed(rng: random.Random, seed: Any) -> Any:
    """A copy of some JSON with a few of its places changed."""
    content = json.loads(json.dumps(seed))
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        parent = content
        while True:
            if not isinstance(parent, dict | list) or not parent:
                break
            is_dict = isinstance(parent, dict)
            keys = list(parent) if is_dict else list(range(len(parent)))
            key = rng.choice(keys)
            if rng.random() < 0.6 and isinstance(parent[key], dict | list):
                parent = parent[key]
                continue
            _change(rng, parent, key)
            break
    return content


def _change(rng: random.Random, parent: Any, key: Any) -> None:
    kind = rng.random()
    if kind < 0.2:
        del parent[key]
    elif kind < 0.3 and isinstance(parent, dict):
        parent[rng.choice(["speed", "text_b", "x", "late", ""])] = 1
    elif kind < 0.4 and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    else:
        parent[key] = copy.deepcopy(rng.choice(_VALUES))


def _with_tensors(rng: random.Random, body: bytes) -> tuple[bytes, str]:
    """A body with bytes behind it, and some length of what is before."""
    size = rng.choice([0, 1, 5, 2**31])
    tensors = struct.pack("<I", size) + b"a" * rng.choice([0, 1, 5])
    lengths = [len(body), len(body), len(body) - 1, 0, -1, 10**30, "x", "٣"]
    binary = json.loads(body)
    inputs = binary.get("inputs") if isinstance(binary, dict) else None
    if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict):
        inputs[0]["parameters"] = {"binary_data_size": len(tensors)}
        inputs[0]["shape"] = [1]
        body = json.dumps(binary).encode()
        lengths[:2] = [len(body)] * 6
    return body + tensors, str(rng.choice(lengths))


def _damaged(rng: random.Random, body: bytes) -> bytes:
    kind = rng.randrange(4)
    place = rng.randrange(len(body) + 1)
    if kind == 0:
        return body[:place]
    if kind == 1:
        return body[:place] + rng.randbytes(rng.randrange(9)) + body[place:]
    if kind == 2:
        return rng.randbytes(rng.randrange(200))
    return b"[" * rng.choice([1, 500, 50_000]) + body
