"""Routes and their failures, over a live connection."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from fastbert_tf.export.server.limits import Limits
from fastbert_tf.export.server.service import Service
from fastbert_tf.segments import Driver

from ...tiny_texts import TEXTS
from .conftest import live, make_service, wait_until

MODEL = "/v2/models/fastbert"
PREDICT = "/v1/models/fastbert:predict"
SECRET = "Ruritania-4711"


def tensor(texts: list[str]) -> dict[str, Any]:
    shape = [len(texts)]
    return {"name": "text", "datatype": "BYTES", "shape": shape, "data": texts}


def infer(client: httpx.Client, texts: list[str], **more: Any) -> Any:
    content = {"inputs": [tensor(texts)], **more}
    return client.post(f"{MODEL}/infer", json=content)


def test_both_protocols_answer_as_the_driver(
    client: httpx.Client, service: Service
) -> None:
    model = service.model
    expected = Driver(model.segments).predict(model.preprocessor(TEXTS), 0.25)
    outputs = infer(client, TEXTS).json()["outputs"]
    outputs = {x["name"]: x["data"] for x in outputs}
    assert outputs["label_id"] == expected.labels.tolist()
    np.testing.assert_allclose(
        np.reshape(outputs["probabilities"], [len(TEXTS), 5]),
        expected.probabilities,
        atol=1e-6,
    )
    reply = client.post(PREDICT, json={"instances": TEXTS}).json()
    labels = [row["label"] for row in reply["predictions"]]
    assert labels == outputs["label"]


def test_what_a_request_asks_reaches_the_engine(
    client: httpx.Client, service: Service
) -> None:
    asked = {"speed": 0.75, "deadline_millis": 9000, "late": "deepest"}
    assert infer(client, ["a"], parameters=asked).status_code == 200
    ((_, speed, seconds, late),) = service.engine.submitted
    assert (float(speed), late) == (0.75, "deepest")
    assert 0 < seconds < 9


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v2/models/other", 404),
        ("GET", f"{MODEL}/versions/2", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("POST", "/v1/models/other:predict", 404),
        ("POST", "/v1/models/fastbert:classify", 405),
        ("GET", f"{MODEL}/infer", 405),
        ("POST", "/metrics", 405),
        ("POST", f"{MODEL}/infer", 400),
        ("POST", PREDICT, 400),
        ("POST", "/explain", 400),
    ],
)
def test_a_mistake_has_the_error_shape(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert list(response.json()) == ["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/octet-stream"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 200),
        ({}, 200),
    ],
)
def test_content_types_are_checked(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    body = json.dumps({"instances": ["a"]}).encode()
    response = client.post(PREDICT, content=body, headers=headers)
    assert response.status_code == status


@pytest.fixture
def limited(served_model: Any) -> Iterator[httpx.Client]:
    """A client of a server with narrow limits."""
    limits = Limits(
        max_enqueued_rows=5,
        max_body_bytes=1000,
        header_seconds=0.3,
        body_seconds=0.3,
    )
    with live(make_service(served_model, limits)) as address:
        with httpx.Client(base_url=f"http://{address}") as client:
            yield client


def test_bodies_and_requests_that_are_too_large_are_refused(
    limited: httpx.Client,
) -> None:
    assert infer(limited, ["x" * 2000]).status_code == 413
    chunks = (b"x" * 100 for _ in range(30))
    assert limited.post(PREDICT, content=chunks).status_code == 413
    assert infer(limited, ["a"] * 6).status_code == 413
    assert infer(limited, ["a"] * 5).status_code == 200


def received(client: httpx.Client, sent: bytes) -> bytes:
    """All that a connection gives until the server closes it."""
    address = client.base_url.host, client.base_url.port
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_slow_clients_are_let_go(limited: httpx.Client) -> None:
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
    assert received(limited, b"") == b""
    assert received(limited, head.encode()) == b""
    answer = received(limited, f"{head}\r\n{{".encode())
    assert answer.startswith(b"HTTP/1.1 408")
    assert infer(limited, ["a"]).status_code == 200


def test_a_connection_too_many_is_refused_and_closed(
    served_model: Any,
) -> None:
    service = make_service(served_model, Limits(max_connections=1))
    with live(service) as address:
        with httpx.Client(base_url=f"http://{address}") as first:
            assert first.get("/v2/health/live").status_code == 200
            refused = httpx.get(f"http://{address}/v2/health/live")
            assert refused.status_code == 503
            assert list(refused.json()) == ["error"]
            assert refused.headers["Retry-After"] == "1"
            assert refused.headers["Connection"] == "close"
            assert first.get("/v2/health/live").status_code == 200


def num_answers(address: str) -> str:
    text = httpx.get(f"http://{address}/metrics").text
    name = 'fastbert_http_responses_total{route="predict",status="200"} '
    return text.partition(name)[2].partition("\n")[0]


def is_at_rest(address: str) -> bool:
    """Whether answers have gone out, and none does any more."""
    before = num_answers(address)
    time.sleep(1)
    return before == num_answers(address) != ""


def test_a_client_that_does_not_read_is_let_go(served_model: Any) -> None:
    body = json.dumps({"instances": ["a"] * 1000})
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: "
    requests = f"{head}{len(body)}\r\n\r\n{body}".encode() * 100
    answers = []
    with live(make_service(served_model, Limits(send_seconds=0.3))) as address:
        host, port = address.split(":")
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((host, int(port)))
            with contextlib.suppress(ConnectionError):
                connection.sendall(requests)
            wait_until(lambda: is_at_rest(address), 60)
            with contextlib.suppress(ConnectionError):
                answers += iter(lambda: connection.recv(1 << 20), b"")
        with httpx.Client(base_url=f"http://{address}") as client:
            assert infer(client, ["a"]).status_code == 200
    assert 0 < b"".join(answers).count(b"HTTP/1.1 200") < 100


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
    address = client.base_url.host, client.base_url.port
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 404")
        connection.sendall(b"zz\r\n")
        while connection.recv(4096):
            pass
    assert "Traceback" not in caplog.text
    assert client.get("/v2/health/live").status_code == 200


def test_rows_of_a_client_that_left_are_cancelled(
    client: httpx.Client, service: Service
) -> None:
    service.engine.is_open.clear()
    with pytest.raises(httpx.ReadTimeout):
        client.post(PREDICT, json={"instances": ["a"]}, timeout=0.3)
    (future,) = service.engine.futures
    wait_until(future.cancelled)
    service.engine.is_open.set()
    assert infer(client, ["a"]).status_code == 200


def test_the_server_fails_without_a_word_about_the_text(
    client: httpx.Client,
    service: Service,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    infer(client, [SECRET])
    infer(client, [SECRET], parameters={SECRET: SECRET})
    client.get(f"/v2/models/{SECRET}?{SECRET}")
    client.get(f"/{SECRET}")
    service.engine.error = KeyError(SECRET)
    response = infer(client, [SECRET])
    assert response.status_code == 500
    assert response.json()["error"] == "The server failed. It is in its log."
    assert "KeyError at" in caplog.text
    clients = ("httpx", "httpcore")
    ours = [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(clients)
    ]
    assert SECRET not in "".join([*ours, *capfd.readouterr()])
    assert SECRET not in client.get("/metrics").text


def test_it_is_ready_when_it_is_warm(service: Service) -> None:
    service.engine.is_open.clear()
    with live(service, wait=False) as address:
        with httpx.Client(base_url=f"http://{address}") as client:
            paths = ("/v2/health/ready", f"{MODEL}/ready")
            assert client.get("/v2/health/live").status_code == 200
            assert [client.get(x).status_code for x in paths] == [503, 503]
            refused = infer(client, ["a"])
            assert refused.status_code == 503
            assert refused.headers["Retry-After"] == "5"
            service.engine.is_open.set()
            wait_until(lambda: service.is_ready)
            assert [client.get(x).status_code for x in paths] == [200, 200]


def test_responses_are_counted_by_route(client: httpx.Client) -> None:
    infer(client, ["a"])
    infer(client, [])
    text = client.get("/metrics").text
    line = 'fastbert_http_responses_total{route="infer",status="%d"} 1.0'
    assert line % 200 in text
    assert line % 400 in text
