"""What a request may ask."""

import json
from typing import Any

import numpy as np
import pytest

from fastbert_tf.export.server.errors import RequestError
from fastbert_tf.export.server.query import Query, options, read_json


def test_a_query_keeps_what_was_asked() -> None:
    given = {"speed": [0, 1], "deadline_millis": 250, "late": "deepest"}
    query = Query(["a", b"b"], ["c", "d"], **options(given))
    np.testing.assert_array_equal(query.speed, np.array([0, 1], "f"))
    assert (query.deadline_seconds, query.late) == (0.25, "deepest")


@pytest.mark.parametrize(
    ("texts", "pairs", "given", "message"),
    [
        ([], None, {}, "1 text or more"),
        (["a", 3], None, {}, "Received: 3 in row 1"),
        (["a"], [None], {}, "`text_b` must hold strings"),
        (["a"], ["b", "c"], {}, "Received: 1 and 2"),
        (["a"], None, {"speed": float("nan")}, "Received: nan"),
        (["a"], None, {"speed": -0.1}, "in \\[0, 1\\]"),
        (["a"], None, {"speed": "0.5"}, "Received: '0.5'"),
        (["a"], None, {"speed": True}, "Received: True"),
        (["a"], None, {"speed": None, "late": "never"}, "Received: 'never'"),
        (["a"], None, {"speed": [0.1, 0.2]}, "for 1 rows"),
        (["a"], None, {"speed": [[0.1], 2]}, "for 1 rows"),
        (["a"], None, {"speed": 10**400}, "for 1 rows"),
        (["a"], None, {"late": []}, "Received: \\[\\]"),
        (["a"], None, {"deadline_millis": -1}, "Received: -1"),
        (["a"], None, {"deadline_millis": 1e300}, "Received: 1e\\+300"),
        (["a"], None, {"deadline_millis": "5"}, "Received: '5'"),
        (["a"], None, {"deadline_millis": True}, "Received: True"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    texts: list[Any], pairs: Any, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        Query(texts, pairs, **options(given))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError, match="JSON"):
        read_json(body)


def test_what_was_sent_is_quoted_short() -> None:
    long = json.dumps({"late": "x" * 100_000})
    with pytest.raises(RequestError) as caught:
        Query(["a"], **options(read_json(long.encode())))
    assert len(caught.value.message) < 300
