"""Segments that raise, and engines that stop."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastbert_tf.segments import Driver, PooledEngine
from fastbert_tf.segments.engine import (
    EngineStopped,
    SegmentFailed,
)
from tests.segments.driver_test import assert_equal
from tests.segments.engine.engine_parts import (
    Counts,
    assert_nothing_is_left,
    inputs_of_length,
    watched,
)
from tests.tiny_models import tiny_inputs

# Asks the students, which are never so sure.
STAY = 1e-30


def failing(drivers: list[Driver], at: int, num_rows: int) -> list[Any]:
    """Segments of which one raises for batches of so many rows."""

    def watch(place: int, count: int) -> None:
        if (place, count) == (at, num_rows):
            raise MemoryError("of the device")

    return watched(drivers[0].segments, watch)


@pytest.mark.parametrize("at", [0, 2, 3])
@pytest.mark.parametrize("max_in_flight", [1, 2])
def test_a_segment_that_raises_ends_the_requests_of_that_batch_alone(
    drivers: list[Driver], at: int, max_in_flight: int
) -> None:
    counts = Counts()
    engine = PooledEngine(
        failing(drivers, at, 3),
        4,
        observer=counts,
        max_in_flight=max_in_flight,
    )
    short, long = inputs_of_length(5, 3), inputs_of_length(10, 2)
    bad, good = engine.submit(short, STAY), engine.submit(long, STAY)
    with engine:
        expected = drivers[0].predict(long, STAY)
        assert_equal(good.result(60).result, expected, np.full(2, True))
        with pytest.raises(SegmentFailed, match=f"M{at} raised MemoryError"):
            bad.result(60)
        assert isinstance(bad.exception().__cause__, MemoryError)
        # The engine lives, and rows of the same length are answered.
        again = engine.submit(inputs_of_length(5, 2), STAY).result(60)
        assert again.result.is_valid.all()
    assert counts.drops == [("failed", 3)]
    assert_nothing_is_left(engine)


def test_other_rows_of_a_request_that_failed_are_taken_out(
    drivers: list[Driver],
) -> None:
    """Its longer rows are in another pool."""
    counts = Counts()
    engine = PooledEngine(failing(drivers, 0, 3), 4, observer=counts)
    lengths = np.array([3, 3, 3, 10, 10])
    inputs = inputs_of_length(11, 5)
    inputs["padding_mask"][:] = np.arange(11) < lengths[:, None]
    future = engine.submit(inputs, STAY)
    with engine:
        with pytest.raises(SegmentFailed):
            future.result(60)
    assert counts.rows[0] == 3
    assert not counts.rows[1]
    assert_nothing_is_left(engine)


def test_stopping_answers_what_is_inside_and_lets_nobody_in(
    drivers: list[Driver],
) -> None:
    counts = Counts()
    engine = PooledEngine(drivers[0].segments, 4, observer=counts)
    engine.start()
    futures = [engine.submit(tiny_inputs(5, 11, i), 0.3) for i in range(20)]
    engine.stop(60)
    assert all(future.done() for future in futures)
    for i, future in enumerate(futures):
        expected = drivers[0].predict(tiny_inputs(5, 11, i), 0.3)
        assert_equal(future.result(0).result, expected, np.full(5, True))
    with pytest.raises(EngineStopped):
        engine.submit(tiny_inputs(), 0.3)
    assert counts.rejects == ["stopped"]
    assert_nothing_is_left(engine)


def test_what_is_not_answered_when_stopping_takes_too_long_fails(
    drivers: list[Driver],
) -> None:
    is_running, may_go_on = threading.Event(), threading.Event()

    def hang(place: int, num_rows: int) -> None:
        is_running.set()
        assert may_go_on.wait(60)

    counts = Counts()
    segments = watched(drivers[0].segments, hang)
    engine = PooledEngine(segments, 2, observer=counts)
    engine.start()
    futures = [engine.submit(tiny_inputs(2), STAY) for _ in range(3)]
    assert is_running.wait(60)
    engine.stop(0.01)
    for future in futures:
        with pytest.raises(EngineStopped):
            future.result(0)
    may_go_on.set()
    engine.stop(60)
    assert counts.drops == [("stopped", 2)] * 3
    assert_nothing_is_left(engine)


def test_an_engine_never_started_fails_what_it_was_asked(
    drivers: list[Driver],
) -> None:
    engine = PooledEngine(drivers[0].segments, 4)
    future = engine.submit(tiny_inputs(), 0.5)
    engine.stop()
    with pytest.raises(EngineStopped):
        future.result(0)


def test_a_caller_may_ask_again_from_its_callback(
    drivers: list[Driver],
) -> None:
    """Callbacks run in the engine's thread, which holds no lock then."""
    engine, done = PooledEngine(drivers[0].segments, 4), threading.Event()
    seconds = []

    def ask_again(_: Any) -> None:
        second = engine.submit(tiny_inputs(), 0.5)
        seconds.append(second)
        second.add_done_callback(lambda _: done.set())

    engine.submit(tiny_inputs(), 0.5).add_done_callback(ask_again)
    with engine:
        assert done.wait(60)
    assert len(seconds[0].result(0).result) == 3


def wait_for(condition: Callable[[], bool]) -> None:
    """Until a thread that has no more work has gone."""
    for _ in range(1_000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise TimeoutError


def test_the_thread_ends(drivers: list[Driver]) -> None:
    engine = PooledEngine(drivers[0].segments, 4)
    engine.start()
    engine.stop(60)
    wait_for(lambda: not engine._thread.is_alive())
