"""The server over the real engine: answers, overload, faults, recovery."""

from __future__ import annotations

import asyncio
import functools
import pathlib
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from fastbert_tf.export.server.limits import Limits
from fastbert_tf.export.server.served_model import ServedModel
from fastbert_tf.export.server.service import Service
from fastbert_tf.segments import Driver
from fastbert_tf.segments.engine.pooled_engine import PooledEngine

from ...tiny_texts import TEXTS
from .conftest import live, make_service, wait_until

PREDICT = "/v1/models/fastbert:predict"
INFER = "/v2/models/fastbert/infer"


class Running(NamedTuple):
    """A server over its engine, and where it is."""

    service: Service
    url: str


@pytest.fixture
def model(bundle: pathlib.Path) -> ServedModel:
    """A model whose segments a test may spoil."""
    return ServedModel.load(bundle)


@pytest.fixture
def running(model: ServedModel) -> Iterator[Running]:
    service = make_service(model, Limits(), PooledEngine)
    with live(service) as address:
        yield Running(service, f"http://{address}")


def spoil(model: ServedModel, index: int, spoiled: Callable) -> None:
    """Puts something before a segment's work."""
    segment = model.segments[index]
    for name in ("run", "advance"):
        whole = getattr(segment, name)

        def instead(*arguments: Any, whole: Any = whole, **named: Any) -> Any:
            spoiled(*arguments)
            return whole(*arguments, **named)

        setattr(segment, name, instead)


def total(url: str, name: str) -> float:
    """A metric, summed over its labels."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    samples = [x for x in lines if x.startswith(f"fastbert_{name}{{")]
    return sum(float(sample.split()[-1]) for sample in samples)


def pool_rows(url: str) -> float:
    return total(url, "pool_rows")


def batch_rows(url: str) -> float:
    return total(url, "batch_rows_total")


async def ask_many(
    url: str, requests: list[dict[str, Any]], pause: float = 0.0
) -> list[tuple[httpx.Response, float]]:
    """Responses with their seconds; a new one is sent after every pause."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:

        async def ask(place: int, content: Any) -> tuple[Any, float]:
            await asyncio.sleep(place * pause)
            start = time.monotonic()
            response = await client.post(PREDICT, json=content)
            return response, time.monotonic() - start

        asked = (ask(place, x) for place, x in enumerate(requests))
        return await asyncio.gather(*asked)


def test_many_at_once_get_what_they_would_get_alone(running: Running) -> None:
    model = running.service.model
    speeds = [0.0, 0.3, 0.6, 1.0] * 10
    rows = [
        {"instances": [{"text": x, "speed": speed} for x in TEXTS]}
        for speed in speeds
    ]
    responses = asyncio.run(ask_many(running.url, rows))
    driver = Driver(model.segments)
    inputs = model.preprocessor(TEXTS)
    for (response, _), speed in zip(responses, speeds, strict=True):
        expected = driver.predict(inputs, speed)
        predictions = response.json()["predictions"]
        exits = [row["exit_index"] for row in predictions]
        assert exits == expected.exit_index.tolist()
        label_ids = [row["label_id"] for row in predictions]
        assert label_ids == expected.labels.tolist()


def test_the_first_request_takes_what_others_take(running: Running) -> None:
    content = {"instances": ["a good film"]}
    with httpx.Client(base_url=running.url) as client:
        client.get("/v2/health/live")  # Opens the connection.
        seconds = []
        for _ in range(30):
            start = time.monotonic()
            assert client.post(PREDICT, json=content).status_code == 200
            seconds.append(time.monotonic() - start)
    usual = max(statistics.median(seconds[1:]), max(seconds[1:]) / 2)
    assert seconds[0] <= 2 * usual


def test_a_segment_that_raises_fails_those_rows_alone(
    model: ServedModel,
) -> None:
    is_broken = [False]

    def break_down(*arguments: Any) -> None:
        if is_broken[0]:
            raise ArithmeticError("a text, perhaps")

    spoil(model, 1, break_down)
    service = make_service(model, Limits(), PooledEngine)
    content = {"inputs": {"text": ["a"], "speed": 0.0}}
    with live(service) as address:
        url = f"http://{address}{PREDICT}"
        is_broken[0] = True
        response = httpx.post(url, json=content)
        assert response.status_code == 500
        message = "A segment failed on the rows."
        assert response.json() == {"error": message}
        is_broken[0] = False
        assert httpx.post(url, json=content).status_code == 200


def test_a_deadline_that_cannot_be_kept_is_refused_without_work(
    running: Running,
) -> None:
    before = batch_rows(running.url)
    content = {"instances": ["a"], "deadline_millis": 0}
    response = httpx.post(running.url + PREDICT, json=content)
    assert response.status_code == 504
    assert batch_rows(running.url) == before


@pytest.fixture
def slow(model: ServedModel) -> Iterator[Running]:
    """A server that can do fifty rows a second, and hold sixty."""
    for index in range(2):
        spoil(model, index, lambda *_: time.sleep(0.02))
    limits = Limits(max_enqueued_rows=60)
    engine_type = functools.partial(
        PooledEngine, max_batch_size=2, max_enqueued_rows=60
    )
    with live(make_service(model, limits, engine_type)) as address:
        yield Running(None, f"http://{address}")


def test_ten_times_what_it_can_do_is_refused_and_it_recovers(
    slow: Running,
) -> None:
    deep = {"inputs": {"text": ["a good film"] * 5, "speed": 0.0}}
    content = deep | {"deadline_millis": 1000}
    responses = asyncio.run(ask_many(slow.url, [content] * 200, 0.01))
    accepted = [s for r, s in responses if r.status_code == 200]
    refused = [r for r, _ in responses if r.status_code == 503]
    expired = [r for r, _ in responses if r.status_code == 504]
    assert len(accepted) + len(refused) + len(expired) == 200
    assert len(refused) > 100
    assert all(int(r.headers["Retry-After"]) >= 1 for r in refused)
    assert len(accepted) > 5
    assert len(expired) <= len(accepted) / 5
    wait_until(lambda: pool_rows(slow.url) == 0, 5)
    response = httpx.post(slow.url + PREDICT, json=content)
    assert response.status_code == 200


def test_rows_of_clients_that_left_leave_the_pools(slow: Running) -> None:
    content = {"inputs": {"text": ["a good film"] * 50, "speed": 0.0}}
    before = batch_rows(slow.url)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(slow.url + PREDICT, json=content, timeout=0.2)
    wait_until(lambda: pool_rows(slow.url) == 0, 5)
    assert total(slow.url, "dropped_rows_total") == 50
    assert batch_rows(slow.url) - before < 100  # Rows by segments.
