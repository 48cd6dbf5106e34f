"""The bundle of the tiny model behind the application and a live server.

No test measures time: the service's clock stands still unless a test moves
it, and what is waited for is waited for as long as it takes.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from fastbert_tf.export import load_classifier
from fastbert_tf.export.server.lifecycle import Server, open_port
from fastbert_tf.export.server.limits import Limits
from fastbert_tf.export.server.metrics import Metrics
from fastbert_tf.export.server.service import Service
from fastbert_tf.segments import TextClassifier

from .fake_engine import FOREVER, FakeEngine

PREDICT = "/v1/models/fastbert:predict"


@pytest.fixture(scope="session")
def classifier(bundle: pathlib.Path) -> TextClassifier:
    return load_classifier(bundle)


@pytest.fixture
def service(classifier: TextClassifier) -> Service:
    """A service over an engine that does as it is told."""
    return make_service(classifier, Limits())


def make_service(
    classifier: TextClassifier,
    limits: Limits,
    make_engine: Any = FakeEngine,
    clock: Callable[[], float] = lambda: 100.0,
) -> Service:
    """A service over an engine of the classifier, not yet started."""
    metrics = Metrics(classifier.driver.segments)
    engine = make_engine(classifier, observer=metrics)
    return Service(classifier, engine, metrics, limits, clock=clock)


@contextlib.contextmanager
def live(service: Service, wait: bool = True) -> Iterator[str]:
    """The host and port of a server that runs meanwhile.

    Args:
        service: `Service`.
        wait: bool, for it to be warm.
    """
    port = open_port("127.0.0.1", 0)
    server = Server(service)
    thread = threading.Thread(target=server.serve_on, args=[port])
    thread.start()
    address = "{}:{}".format(*port.getsockname())
    try:
        wait_until(lambda: service.is_ready or not wait)
        yield address
    finally:
        server.should_exit = True
        thread.join(FOREVER)
        assert not thread.is_alive()


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + FOREVER
    while not is_so():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with live(service) as address, client_of(address) as client:
        yield client


def client_of(address: str, **options: Any) -> httpx.Client:
    """A client that waits as long as it takes."""
    url = f"http://{address}"
    return httpx.Client(base_url=url, timeout=FOREVER, **options)


def connected(
    client: httpx.Client, receive_bytes: int = 65536
) -> socket.socket:
    """A connection of one's own to the server of a client."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(FOREVER)
    connection.connect((client.base_url.host, client.base_url.port))
    return connection


def predict_request(texts: list[str]) -> bytes:
    """A request of TensorFlow Serving's protocol, as it is sent."""
    body = json.dumps({"instances": texts})
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: "
    return f"{head}{len(body)}\r\n\r\n{body}".encode()
