"""How requests end: in time, late, cancelled; and who is let in."""

import concurrent.futures
import random
import threading
from typing import Any

import numpy as np
import pytest

from fastbert_tf import FastBertClassifier, simulate_exits
from fastbert_tf.segments import Driver, PooledEngine
from fastbert_tf.segments.engine import (
    DeadlineExceeded,
    EngineAnswer,
    Overloaded,
)
from tests.segments.engine.engine_parts import (
    Clock,
    Counts,
    assert_nothing_is_left,
    inputs_of_length,
    watched,
)
from tests.tiny_models import NUM_BLOCKS, tiny_inputs
from tests.tolerances import tolerance

Models = list[FastBertClassifier]
# A student is asked, and nobody leaves.
# Asks the students, which are never so sure.
STAY = 1e-30


class Slow:
    """An engine whose launches take simulated seconds.

    Args:
        seconds: of each launch of a segment, or of all.
    """

    def __init__(
        self, drivers: list[Driver], seconds: Any, **options: Any
    ) -> None:
        self.clock, self.counts = Clock(), Counts()
        self.seconds = np.broadcast_to(seconds, [NUM_BLOCKS])
        self.watch = lambda place, num_rows: None
        segments = watched(drivers[0].segments, self._pass)
        self.engine = PooledEngine(
            segments, 4, observer=self.counts, clock=self.clock, **options
        )

    def _pass(self, place: int, num_rows: int) -> None:
        self.watch(place, num_rows)
        self.clock.now += self.seconds[place]

    def run(self) -> None:
        """All there is, to the end."""
        self.engine.start()
        self.engine.stop(60)
        assert_nothing_is_left(self.engine)


def test_a_request_not_answered_in_time_fails(drivers: list[Driver]) -> None:
    slow = Slow(drivers, [1.0, 1.0, 5.0, 1.0])
    future = slow.engine.submit(tiny_inputs(), STAY, 4.0)
    other = slow.engine.submit(tiny_inputs(2), STAY, 60.0)
    slow.run()
    with pytest.raises(DeadlineExceeded, match="a deadline of 4 seconds"):
        future.result(0)
    assert len(other.result(0).result) == 2
    assert slow.counts.drops == [("expired", 3)]
    # Nothing was computed for it afterwards.
    assert [slow.counts.rows[i] for i in range(4)] == [5, 5, 5, 2]


def test_a_request_that_expires_before_it_runs_is_not_run(
    drivers: list[Driver],
) -> None:
    slow = Slow(drivers, 1.0)
    future = slow.engine.submit(tiny_inputs(), STAY, 4.0)
    slow.clock.now += 5.0
    slow.run()
    with pytest.raises(DeadlineExceeded):
        future.result(0)
    assert not slow.counts.rows


def test_if_asked_the_deepest_exit_answers_in_place_of_an_error(
    drivers: list[Driver], models: Models
) -> None:
    slow = Slow(drivers, [1.0, 5.0, 1.0, 1.0])
    inputs = tiny_inputs(4)
    future = slow.engine.submit(inputs, STAY, 4.0, "deepest")
    slow.run()
    answer = future.result(0)
    assert answer.is_late.tolist() == [True] * 4
    assert answer.result.exit_index.tolist() == [1] * 4
    logits = np.asarray(models[0].exit_logits(inputs))
    expected = logits[1]
    np.testing.assert_allclose(answer.result.logits, expected, **tolerance())
    ((exits, seconds, is_on_time),) = slow.counts.answers
    assert (exits, is_on_time) == ([1] * 4, False)
    assert seconds >= 4.0


def test_rows_that_left_in_time_are_not_late(drivers: list[Driver]) -> None:
    slow = Slow(drivers, [1.0, 5.0, 1.0, 1.0])
    speed = np.array([1.0, 1.0, STAY])
    future = slow.engine.submit(tiny_inputs(), speed, 4.0, "deepest")
    slow.run()
    answer = future.result(0)
    assert answer.is_late.tolist() == [False, False, True]
    assert answer.result.exit_index.tolist() == [0, 0, 1]


def test_an_own_answer_that_comes_late_is_flagged(
    drivers: list[Driver],
) -> None:
    slow = Slow(drivers, [1.0, 1.0, 1.0, 5.0])
    future = slow.engine.submit(tiny_inputs(), STAY, 4.0, "deepest")
    slow.run()
    assert future.result(0).is_late.all()
    assert future.result(0).result.exit_index.tolist() == [3, 3, 3]


def test_a_late_row_that_asked_no_exit_has_no_answer(
    drivers: list[Driver],
) -> None:
    slow = Slow(drivers, 3.0)
    future = slow.engine.submit(tiny_inputs(), 0.0, 4.0, "deepest")
    slow.run()
    with pytest.raises(DeadlineExceeded):
        future.result(0)


def test_the_deepest_answer_comes_before_a_deadline_that_cannot_be_kept(
    drivers: list[Driver],
) -> None:
    slow = Slow(drivers, 1.0)
    slow.engine.warm_up()
    future = slow.engine.submit(tiny_inputs(), STAY, 5.5, "deepest")

    def stumble(place: int, num_rows: int) -> None:
        slow.clock.now += 2.0 if place == 0 else 0.0

    slow.watch, start = stumble, slow.clock.now
    slow.run()
    assert future.result(0).is_late.all()
    assert future.result(0).result.exit_index.tolist() == [2, 2, 2]
    assert slow.counts.answers[0][1] <= 5.5
    assert slow.clock.now - start == 5.0


def test_cancelled_rows_leave_the_pools(drivers: list[Driver]) -> None:
    slow = Slow(drivers, 1.0)
    futures = [slow.engine.submit(tiny_inputs(), STAY) for _ in range(3)]
    assert futures[1].cancel()
    assert slow.engine.pool_sizes == [6, 0, 0, 0]
    slow.run()
    assert [x.cancelled() for x in futures] == [False, True, False]
    assert slow.counts.rows[0] == 6
    assert slow.counts.drops == [("cancelled", 3)]
    done, _ = concurrent.futures.wait(futures, timeout=0)
    assert len(done) == 3


def test_rows_cancelled_while_they_run_go_no_further(
    drivers: list[Driver],
) -> None:
    slow = Slow(drivers, 1.0)
    futures = [slow.engine.submit(tiny_inputs(2), STAY) for _ in range(3)]

    def cancel(place: int, num_rows: int) -> None:
        if place == 1:
            futures[0].cancel()

    slow.watch = cancel
    slow.run()
    assert futures[0].cancelled()
    assert [len(x.result(0).result) for x in futures[1:]] == [2, 2]
    assert [slow.counts.rows[i] for i in range(4)] == [6, 6, 4, 4]


def test_at_ten_times_capacity_who_is_let_in_is_answered_in_time(
    drivers: list[Driver],
) -> None:
    """Every row goes deep; others come while each launch runs."""
    slow = Slow(drivers, 1.0, max_enqueued_rows=64)
    engine, is_over = slow.engine, threading.Event()
    engine.warm_up()
    rng, futures, retries = random.Random(0), [], []
    end = slow.clock.now + 200

    def arrive(place: int, num_rows: int) -> None:
        if slow.clock.now >= end:
            is_over.set()
            return
        for _ in range(10):
            try:
                inputs = inputs_of_length(rng.randint(1, 11))
                futures.append(engine.submit(inputs, STAY, 60.0))
            except Overloaded as refusal:
                retries.append(refusal.retry_after_seconds)

    slow.watch = arrive
    futures.append(engine.submit(tiny_inputs(1), STAY, 60.0))
    engine.start()
    assert is_over.wait(60)
    engine.stop(60)
    assert_nothing_is_left(engine)
    answers = [future.result(0) for future in futures]
    assert not any(answer.is_late.any() for answer in answers)
    # Four rows in four seconds is all that the device can do.
    assert 120 < len(answers) < 270
    assert len(slow.counts.rejects) == len(retries) > 1_000
    assert 0 < min(retries) <= max(retries) <= 60
    # It is free again within a deadline.
    assert slow.clock.now <= end + 60


def test_nothing_is_left_whatever_happens(drivers: list[Driver]) -> None:
    """Random requests, cancelled or late or neither, from many threads."""
    rng = random.Random(0)
    engine = PooledEngine(drivers[0].segments, 4, 40, max_in_flight=2)

    def ask(seed: int) -> str:
        rng = random.Random(seed)
        inputs = tiny_inputs(rng.randint(0, 5), rng.randint(1, 11), seed)
        deadline = rng.choice([None, 0.001, 0.01, 60.0])
        late = rng.choice(["error", "deepest"])
        try:
            future = engine.submit(inputs, rng.random(), deadline, late)
        except Overloaded as refusal:
            return refusal.reason
        if rng.random() < 0.2:
            future.cancel()
        concurrent.futures.wait([future])
        if future.cancelled():
            return "cancelled"
        if future.exception():
            return type(future.exception()).__name__
        return type(future.result()).__name__

    with engine, concurrent.futures.ThreadPoolExecutor(20) as pool:
        outcomes = list(pool.map(ask, rng.sample(range(10_000), 400)))
    assert_nothing_is_left(engine)
    assert {EngineAnswer.__name__, "cancelled"} <= set(outcomes)


def test_answers_are_those_of_the_oracle_when_some_are_late(
    drivers: list[Driver], models: Models
) -> None:
    """Places are used again by others, and keep nothing of who was there."""
    slow = Slow(drivers, [0.0, 0.0, 0.0, 0.01], max_enqueued_rows=6)
    speeds = [STAY, 1.0, 0.5]
    slow.engine.start()
    for seed in range(20):
        inputs, speed = tiny_inputs(1 + seed % 4, 8, seed), speeds[seed % 3]
        future = slow.engine.submit(inputs, speed, 0.005, "deepest")
        answer = future.result(60)
        logits = np.asarray(models[0].exit_logits(inputs))
        exits = answer.result.exit_index
        own = simulate_exits(logits, speed).exit_index
        assert (exits[~answer.is_late] == own[~answer.is_late]).all()
        expected = logits[exits, np.arange(len(exits))]
        np.testing.assert_allclose(
            answer.result.logits, expected, **tolerance()
        )
    slow.engine.stop()
    assert_nothing_is_left(slow.engine)
