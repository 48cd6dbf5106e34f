"""Whatever is sent, an answer or an error in the protocol's shape."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, NoReturn

import pytest

from fastbert_tf.export.server.app import create_app
from fastbert_tf.export.server.service import Service

from .fuzz import FuzzedRequest, fuzzed_requests

GOOD = FuzzedRequest(
    "POST", "/v1/models/fastbert:predict", {}, b'{"instances": ["a"]}'
)


async def ask(app: Any, request: FuzzedRequest) -> tuple[int, bytes]:
    """Status and body, of the application alone."""
    headers = [
        (name.encode(), value.encode("utf-8"))
        for name, value in request.headers.items()
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": b"",
        "headers": headers,
    }
    body = {"type": "http.request", "body": request.body, "more_body": False}
    messages, sent = [body], []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(x.get("body", b"") for x in sent[1:])


def refuse(name: str) -> NoReturn:
    raise AssertionError(f"not JSON: {name}")


async def ask_all(service: Service, count: int, start: int) -> Counter[int]:
    """How many of each status, after every body has been looked at."""
    service.engine.is_ready = True
    app, statuses = create_app(service), Counter()
    for request in fuzzed_requests(count, start):
        status, body = await ask(app, request)
        statuses[status] += 1
        assert status in (200, 503, 504) or 400 <= status < 500, request
        if status != 200:
            content = json.loads(body, parse_constant=refuse)
            assert list(content) == ["error"], request
    status, body = await ask(app, GOOD)
    assert status == 200
    assert json.loads(body, parse_constant=refuse)["predictions"]
    return statuses


def test_some_fuzzed_requests_get_an_answer_or_an_error(
    service: Service,
) -> None:
    statuses = asyncio.run(ask_all(service, 300, start=7))
    assert statuses[200] > 20
    assert statuses[400] > 100
    assert {404, 405, 415} <= set(statuses)


@pytest.mark.slow
def test_ten_thousand_fuzzed_requests_get_an_answer_or_an_error(
    service: Service,
) -> None:
    statuses = asyncio.run(ask_all(service, 10_000, start=8))
    assert statuses.total() == 10_000
