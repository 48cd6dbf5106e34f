"""Routes and their failures, over a live connection."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from fastbert_tf.export.server.limits import Limits
from fastbert_tf.export.server.service import Service
from fastbert_tf.segments import TextClassifier

from ...tiny_texts import TEXTS
from .conftest import (
    PREDICT,
    client_of,
    connected,
    live,
    make_service,
    predict_request,
    wait_until,
)

MODEL = "/v2/models/fastbert"
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
    expected = service.classifier.predict(TEXTS, speed=0.25)
    outputs = infer(client, TEXTS).json()["outputs"]
    outputs = {x["name"]: x["data"] for x in outputs}
    assert outputs["label_id"] == expected.result.labels.tolist()
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
    assert seconds == 9.0


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
def limited(classifier: TextClassifier) -> Iterator[httpx.Client]:
    """A client of a server with narrow limits."""
    limits = Limits(max_enqueued_rows=5, max_body_bytes=1000)
    with live(make_service(classifier, limits)) as address:
        with client_of(address) as client:
            yield client


def test_bodies_and_requests_that_are_too_large_are_refused(
    limited: httpx.Client,
) -> None:
    assert infer(limited, ["x" * 2000]).status_code == 413
    chunks = (b"x" * 100 for _ in range(30))
    assert limited.post(PREDICT, content=chunks).status_code == 413
    assert infer(limited, ["a"] * 6).status_code == 413
    assert infer(limited, ["a"] * 5).status_code == 200


def test_rows_of_a_client_that_left_are_cancelled(
    client: httpx.Client, service: Service
) -> None:
    service.engine.is_open.clear()
    with connected(client) as connection:
        connection.sendall(predict_request(["a"]))
        wait_until(lambda: bool(service.engine.futures))
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
        with client_of(address) as client:
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
