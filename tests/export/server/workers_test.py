"""Threads beside the event loop."""

import asyncio
import threading
from concurrent.futures import Future

import pytest

from fastbert_tf.export.server.errors import RequestError
from fastbert_tf.export.server.workers import Workers


async def refused_beside(workers: Workers, gate: threading.Event) -> int:
    """Statuses of calls beside one that waits for `gate`, then its value."""
    waiting = asyncio.create_task(workers.call(gate.wait, 10))
    await asyncio.sleep(0)
    with pytest.raises(RequestError) as caught:
        await workers.call(lambda: 1)
    gate.set()
    assert await waiting
    assert await workers.call(lambda: 1) == 1
    return caught.value.status


def test_calls_above_the_limit_are_refused_until_there_is_room() -> None:
    workers = Workers(1, 1, "test")
    assert asyncio.run(refused_beside(workers, threading.Event())) == 503
    workers.stop()


def test_what_a_call_raises_is_raised() -> None:
    workers = Workers(1, 1, "test")
    with pytest.raises(ValueError, match="mine"):
        asyncio.run(workers.call(int, "mine"))
    workers.stop()


async def dropped(workers: Workers, gate: threading.Event) -> list[int]:
    """What calls did that were cancelled before they began."""
    seen = []
    waiting = asyncio.create_task(workers.call(gate.wait, 10))
    behind = asyncio.create_task(workers.call(seen.append, 1))
    await asyncio.sleep(0)
    behind.cancel()
    await asyncio.sleep(0)
    gate.set()
    await waiting
    await workers.call(len, seen)
    return seen


def test_a_cancelled_call_is_dropped_and_makes_room() -> None:
    workers = Workers(1, 2, "test")
    assert asyncio.run(dropped(workers, threading.Event())) == []
    workers.stop()


async def left_behind(
    workers: Workers, begun: threading.Event, gate: threading.Event
) -> Future:
    """The future that a call returns after its caller was cancelled."""
    result = Future()

    def call() -> Future:
        begun.set()
        gate.wait(10)
        return result

    task = asyncio.create_task(workers.call(call))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await workers.call(int)  # Behind the first, on the only thread.
    return result


def test_a_future_that_nobody_gets_is_cancelled() -> None:
    workers = Workers(1, 2, "test")
    events = threading.Event(), threading.Event()
    assert asyncio.run(left_behind(workers, *events)).cancelled()
    workers.stop()
