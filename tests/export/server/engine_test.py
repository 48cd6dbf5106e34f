"""The server over the real engine: answers, overload, faults, recovery."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from fastbert_tf.export.server.limits import Limits
from fastbert_tf.export.server.service import Service
from fastbert_tf.segments import PooledDriver, TextClassifier

from ...segments.engine.engine_parts import watched as watched_segments
from ...tiny_texts import TEXTS
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

MAX_REQUESTS = 100


@contextlib.contextmanager
def serving(service: Service) -> Iterator[httpx.Client]:
    """A client of a server that runs meanwhile; of many threads."""
    limits = httpx.Limits(max_connections=None)
    with live(service) as address:
        with client_of(address, limits=limits) as client:
            yield client


@contextlib.contextmanager
def asked(
    client: httpx.Client, requests: Sequence[Any]
) -> Iterator[list[Future[httpx.Response]]]:
    """The responses to requests that are sent all at once."""
    with ThreadPoolExecutor(MAX_REQUESTS) as pool:
        ask = functools.partial(pool.submit, client.post, PREDICT)
        yield [ask(json=content) for content in requests]


def with_watch(
    classifier: TextClassifier, watch: Callable[[int, int], None]
) -> TextClassifier:
    """The classifier, telling `watch` of every launch of its segments."""
    segments = watched_segments(classifier.driver.segments, watch)
    return TextClassifier(PooledDriver(segments), classifier.preprocessor)


def total(client: httpx.Client, name: str) -> float:
    """A metric, summed over its labels."""
    lines = client.get("/metrics").text.splitlines()
    samples = [x for x in lines if x.startswith(f"fastbert_{name}{{")]
    return sum(float(sample.split()[-1]) for sample in samples)


@pytest.fixture(scope="module")
def client(classifier: TextClassifier) -> Iterator[httpx.Client]:
    with serving(
        make_service(classifier, Limits(), TextClassifier.engine)
    ) as client:
        yield client


def test_many_at_once_get_what_they_would_get_alone(
    client: httpx.Client, classifier: TextClassifier
) -> None:
    speeds = [0.0, 0.3, 0.6, 1.0] * 10
    requests = [
        {"instances": [{"text": x, "speed": speed} for x in TEXTS]}
        for speed in speeds
    ]
    with asked(client, requests) as responses:
        answers = [x.result().json()["predictions"] for x in responses]
    for rows, speed in zip(answers, speeds, strict=True):
        expected = classifier.predict(TEXTS, speed=speed)
        exits = [row["exit_index"] for row in rows]
        assert exits == expected.exit_index.tolist()
        label_ids = [row["label_id"] for row in rows]
        assert label_ids == expected.result.labels.tolist()


def test_a_deadline_that_cannot_be_kept_is_refused_without_work(
    client: httpx.Client,
) -> None:
    before = total(client, "batch_rows_total")
    content = {"instances": ["a"], "deadline_millis": 0}
    assert client.post(PREDICT, json=content).status_code == 504
    assert total(client, "batch_rows_total") == before


def test_a_segment_that_raises_fails_those_rows_alone(
    classifier: TextClassifier,
) -> None:
    is_broken = [False]

    def break_down(place: int, num_rows: int) -> None:
        if is_broken[0] and place == 1:
            raise ArithmeticError("a text, perhaps")

    watched = with_watch(classifier, break_down)
    content = {"inputs": {"text": ["a"], "speed": 0.0}}
    with serving(
        make_service(watched, Limits(), TextClassifier.engine)
    ) as client:
        is_broken[0] = True
        response = client.post(PREDICT, json=content)
        assert response.status_code == 500
        message = "A segment failed on the rows."
        assert response.json() == {"error": message}
        is_broken[0] = False
        assert client.post(PREDICT, json=content).status_code == 200


class Device:
    """A device on a clock of its own: a launch takes 20 ms of it.

    `is_open` is an event that launches wait for.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.is_open = threading.Event()
        self.is_open.set()

    def clock(self) -> float:
        return self.now

    def launch(self, place: int, num_rows: int) -> None:
        assert self.is_open.wait(FOREVER)
        self.now += 0.02


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device()
    yield device
    device.is_open.set()


@pytest.fixture
def slow(classifier: TextClassifier, device: Device) -> Iterator[httpx.Client]:
    """Of a server that can do fifty rows a second, and hold sixty."""
    watched = with_watch(classifier, device.launch)
    make_engine = functools.partial(
        TextClassifier.engine,
        max_batch_size=2,
        max_enqueued_rows=60,
        clock=device.clock,
    )
    limits = Limits(max_enqueued_rows=60)
    with serving(
        make_service(watched, limits, make_engine, device.clock)
    ) as client:
        yield client


def test_ten_times_what_it_can_do_is_refused_and_it_recovers(
    slow: httpx.Client, device: Device
) -> None:
    deep = {"text": ["a good film"] * 5, "speed": 0.0}
    content = {"inputs": deep, "deadline_millis": 1000}
    device.is_open.clear()
    with asked(slow, [content] * MAX_REQUESTS) as responses:
        # Two rows are in the launch that waits for the device.
        wait_until(
            lambda: (
                total(slow, "pool_rows") + 2
                == 5 * sum(not x.done() for x in responses)
            )
        )
        device.is_open.set()
        responses = [x.result() for x in responses]
    statuses = Counter(x.status_code for x in responses)
    assert set(statuses) == {200, 503}
    assert 3 <= statuses[200] <= 10
    refused = [x for x in responses if x.status_code == 503]
    assert all(int(x.headers["Retry-After"]) >= 1 for x in refused)
    assert total(slow, "pool_rows") == 0
    assert slow.post(PREDICT, json=content).status_code == 200


def test_rows_of_clients_that_left_leave_the_pools(
    slow: httpx.Client, device: Device
) -> None:
    device.is_open.clear()
    with connected(slow) as connection:
        connection.sendall(predict_request(["a good film"] * 50))
        wait_until(lambda: total(slow, "pool_rows") == 48)
    wait_until(lambda: total(slow, "pool_rows") == 0)
    device.is_open.set()
    wait_until(lambda: total(slow, "dropped_rows_total") == 50)
    assert total(slow, "batch_rows_total") == 2
