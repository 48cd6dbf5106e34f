"""Connections: slow clients, too many of them, and what is no HTTP."""

from __future__ import annotations

import contextlib
import json

import httpx
import pytest

from fastbert_tf.export.server.limits import Limits
from fastbert_tf.segments import TextClassifier

from .conftest import (
    FOREVER,
    PREDICT,
    client_of,
    connected,
    live,
    make_service,
    predict_request,
    wait_until,
)

HEAD = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n".encode()


def get_live(address: str) -> httpx.Response:
    """What a new connection gets."""
    return httpx.get(f"http://{address}/v2/health/live", timeout=FOREVER)


def received(client: httpx.Client, sent: bytes) -> bytes:
    """All that a connection gives until the server closes it."""
    with connected(client) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize("sent", [b"", HEAD])
def test_a_head_that_does_not_end_is_not_waited_for(
    classifier: TextClassifier, sent: bytes
) -> None:
    limits = Limits(header_seconds=0.05)
    with live(make_service(classifier, limits)) as address:
        with client_of(address) as client:
            assert received(client, sent) == b""


def test_a_body_that_does_not_end_is_not_waited_for(
    classifier: TextClassifier,
) -> None:
    limits = Limits(body_seconds=0.05)
    with live(make_service(classifier, limits)) as address:
        with client_of(address) as client:
            answer = received(client, HEAD + b"\r\n{")
            assert answer.startswith(b"HTTP/1.1 408")


def test_a_connection_too_many_is_refused_and_closed(
    classifier: TextClassifier,
) -> None:
    limits = Limits(max_connections=1, header_seconds=FOREVER)
    with live(make_service(classifier, limits)) as address:
        with client_of(address) as client:
            with connected(client):
                refused = get_live(address)
                assert refused.status_code == 503
                assert list(refused.json()) == ["error"]
                assert refused.headers["Retry-After"] == "1"
                assert refused.headers["Connection"] == "close"
            wait_until(lambda: get_live(address).status_code == 200)


def test_a_client_that_does_not_read_makes_room_for_another(
    classifier: TextClassifier,
) -> None:
    limits = Limits(max_connections=1, send_seconds=0.05)
    with live(make_service(classifier, limits)) as address:
        with client_of(address) as client:
            with connected(client, receive_bytes=4096) as connection:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(predict_request(["a"] * 1000) * 100)
                wait_until(lambda: get_live(address).status_code == 200)


def test_what_is_no_http_is_refused(client: httpx.Client) -> None:
    answer = received(client, b"\x16\x03\x01\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    _, body = answer.split(b"\r\n\r\n")
    assert list(json.loads(body)) == ["error"]
    assert client.get("/v2/health/live").status_code == 200


def test_what_follows_an_early_answer_and_is_no_http_is_not_answered(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked"
    with connected(client) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 404")
        connection.sendall(b"zz\r\n")
        while connection.recv(4096):
            pass
    assert "Traceback" not in caplog.text
    assert client.get("/v2/health/live").status_code == 200
