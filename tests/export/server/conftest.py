"""The bundle of the tiny model behind the application and a live server."""

from __future__ import annotations

import contextlib
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fastbert_tf.export.server.lifecycle import Server, open_port
from fastbert_tf.export.server.limits import Limits
from fastbert_tf.export.server.metrics import Metrics
from fastbert_tf.export.server.served_model import ServedModel
from fastbert_tf.export.server.service import Service

from .fake_engine import FakeEngine


@pytest.fixture(scope="session")
def served_model(bundle: pathlib.Path) -> ServedModel:
    return ServedModel.load(bundle)


@pytest.fixture
def service(served_model: ServedModel) -> Service:
    """A service over an engine that does as it is told."""
    return make_service(served_model, Limits())


def make_service(
    model: ServedModel, limits: Limits, engine_type: Any = FakeEngine
) -> Service:
    """A service over an engine of that type, not yet started."""
    metrics = Metrics(model.manifest.segment_names, model.manifest.plan.exits)
    engine = engine_type(model.segments, observer=metrics)
    return Service(model, engine, metrics, limits)


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
        thread.join(20)
        assert not thread.is_alive()


def wait_until(is_so: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with live(service) as address:
        with httpx.Client(base_url=f"http://{address}", timeout=20) as client:
            yield client
