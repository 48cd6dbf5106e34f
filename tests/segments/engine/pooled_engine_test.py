"""What an engine answers: the oracle's answers, whoever asks beside."""

import concurrent.futures
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fastbert_tf import ExitResult, FastBertClassifier, simulate_exits
from fastbert_tf.segments import CostTable, Driver, PooledEngine
from fastbert_tf.segments.costs import SegmentCost
from fastbert_tf.segments.engine import Overloaded
from tests.segments.driver_test import assert_equal, settled
from tests.segments.engine.engine_parts import (
    Clock,
    Counts,
    assert_nothing_is_left,
)
from tests.tiny_models import NUM_BLOCKS, faulty, pad, take, tiny_inputs

Models = list[FastBertClassifier]


@pytest.fixture(scope="module")
def engine(drivers: list[Driver]) -> Iterator[PooledEngine]:
    """Of the model of four blocks, warm."""
    with PooledEngine(drivers[0].segments, max_batch_size=4) as engine:
        engine.warm_up()
        yield engine
    assert_nothing_is_left(engine)


def answer(engine: PooledEngine, *arguments: Any) -> ExitResult:
    future = engine.submit(*arguments)
    answer = future.result(timeout=60)
    assert answer.is_late.tolist() == [False] * len(answer.result)
    return answer.result


@pytest.mark.parametrize("speed", [0.0, 0.1, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("num_rows", [1, 7, 64])
def test_it_equals_the_oracle(
    engine: PooledEngine, models: Models, num_rows: int, speed: float
) -> None:
    inputs = tiny_inputs(num_rows, 11)
    logits = models[0].exit_logits(inputs)
    result = answer(engine, inputs, speed)
    expected = simulate_exits(logits, speed)
    assert_equal(result, expected, settled(logits, speed))


def test_every_row_has_its_own_speed(
    engine: PooledEngine, models: Models
) -> None:
    inputs, speed = tiny_inputs(64, 11), np.linspace(0, 1, 64)
    logits = models[0].exit_logits(inputs)
    result = answer(engine, inputs, speed)
    assert_equal(result, simulate_exits(logits, speed), settled(logits, speed))
    assert (result.exit_histogram(NUM_BLOCKS) > 0).all()


def test_company_does_not_matter(engine: PooledEngine) -> None:
    inputs = tiny_inputs(32, 9)
    together = answer(engine, inputs, 0.4)
    alone = [answer(engine, take(inputs, [i]), 0.4) for i in range(32)]
    alone = ExitResult.concatenate(alone)
    assert_equal(together, alone, np.full(32, True))


def test_padding_does_not_matter_to_the_bit(engine: PooledEngine) -> None:
    inputs = tiny_inputs(32, 7)
    result = answer(engine, inputs, 0.4)
    padded = answer(engine, pad(inputs, 4), 0.4)
    for name in ("logits", "uncertainty", "exit_index"):
        np.testing.assert_array_equal(
            getattr(result, name), getattr(padded, name)
        )


@pytest.mark.slow
def test_200_threads_get_what_they_would_alone(engine: PooledEngine) -> None:
    speeds = [0.0, 0.3, 0.5, 1.0] * 50
    inputs = [tiny_inputs(1 + i % 3, 1 + i % 11, i) for i in range(200)]
    alone = [answer(engine, *x) for x in zip(inputs, speeds, strict=True)]
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        futures = [
            pool.submit(answer, engine, *x)
            for x in zip(inputs, speeds, strict=True)
        ]
    for future, expected in zip(futures, alone, strict=True):
        result = future.result()
        assert_equal(result, expected, np.full(len(expected), True))


def test_no_rows_get_no_answers(engine: PooledEngine) -> None:
    result = answer(engine, tiny_inputs(0), 0.5)
    assert result.logits.shape == (0, 5)


def test_rows_of_requests_share_batches(drivers: list[Driver]) -> None:
    counts = Counts()
    engine = PooledEngine(drivers[0].segments, 4, observer=counts)
    futures = [engine.submit(tiny_inputs(1, 7, i), 0.0) for i in range(8)]
    assert engine.pool_sizes == [8, 0, 0, 0]
    with engine:
        for future in futures:
            future.result(timeout=60)
    assert counts.largest == 4
    assert [counts.rows[i] for i in range(NUM_BLOCKS)] == [8] * NUM_BLOCKS


@pytest.mark.parametrize("max_in_flight", [1, 2])
def test_launches_may_be_begun_ahead(
    drivers: list[Driver], max_in_flight: int
) -> None:
    inputs = tiny_inputs(64, 11)
    expected = drivers[0].predict(inputs, 0.5)
    with PooledEngine(
        drivers[0].segments, 4, max_in_flight=max_in_flight
    ) as engine:
        result = answer(engine, inputs, 0.5)
    assert_equal(result, expected, np.full(64, True))


def test_a_row_without_an_answer_is_alone_in_it(drivers: list[Driver]) -> None:
    def poison(outputs: dict[str, Any]) -> dict[str, Any]:
        bad = np.isclose(outputs["logits"][:, 0], worst, atol=1e-4)
        for name in ("logits", "uncertainty"):
            value = np.array(outputs[name])
            value[bad] = np.nan
            outputs[name] = value
        return outputs

    inputs = tiny_inputs(7)
    expected = drivers[0].predict(inputs, 0.0)
    worst = expected.logits[2, 0]
    segments = list(drivers[0].segments)
    segments[-1] = faulty(segments[-1], poison)
    with PooledEngine(segments, 4) as engine:
        result = answer(engine, inputs, 0.0)
    assert result.is_valid.tolist() == [i != 2 for i in range(7)]
    others = np.array([0, 1, 3, 4, 5, 6])
    assert_equal(result.take(others), expected.take(others), np.full(6, True))


def test_nothing_is_traced_once_it_is_warm(engine: PooledEngine) -> None:
    for num_rows in (1, 5, 64):
        for speed in (0.0, 0.5):
            answer(engine, tiny_inputs(num_rows, 11), speed)
    functions = [
        engine._worker._executor._compaction.function,
        *(segment.function for segment in engine.segments),
        *(segment.advance_function for segment in engine.segments[:-1]),
    ]
    for function in functions:
        assert function.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"speed": float("nan")}, "speed=nan"),
        ({"speed": [0.5]}, r"shape \(1,\)"),
        ({"token_ids": np.full((3, 7), 23)}, r"must be in \[0, 23\)"),
        ({"late": "never"}, "late='never'"),
        ({"deadline_seconds": float("nan")}, "Received: nan"),
    ],
)
def test_impossible_requests_are_refused(
    engine: PooledEngine, change: dict[str, Any], error: str
) -> None:
    given = {**tiny_inputs(), "speed": 0.5, **change}
    names = ("speed", "deadline_seconds", "late")
    named = {name: given.pop(name) for name in names if name in given}
    with pytest.raises(ValueError, match=error):
        engine.submit(given, **named)


def test_more_rows_than_fit_are_an_error_not_an_overload(
    drivers: list[Driver],
) -> None:
    engine = PooledEngine(drivers[0].segments, 4, max_enqueued_rows=6)
    with pytest.raises(ValueError, match="at most 6 rows. Received: 7"):
        engine.submit(tiny_inputs(7), 0.5)


def test_a_full_engine_refuses_without_computing(
    drivers: list[Driver],
) -> None:
    counts = Counts()
    engine = PooledEngine(drivers[0].segments, 4, 6, counts)
    first = engine.submit(tiny_inputs(5), 0.5)
    with pytest.raises(Overloaded, match="Received: full") as refusal:
        engine.submit(tiny_inputs(2), 0.5)
    assert refusal.value.retry_after_seconds > 0
    assert counts.rejects == ["full"]
    with engine:
        first.result(timeout=60)
        engine.submit(tiny_inputs(2), 0.5).result(timeout=60)
    assert counts.rows[0] == 7


@pytest.mark.parametrize("deadline_seconds", [0.0, -1.0])
def test_a_deadline_already_past_is_refused_without_computing(
    drivers: list[Driver], deadline_seconds: float
) -> None:
    counts = Counts()
    with PooledEngine(drivers[0].segments, 4, observer=counts) as engine:
        with pytest.raises(Overloaded, match="Received: deadline"):
            engine.submit(tiny_inputs(), 0.5, deadline_seconds)
    assert not counts.rows


def test_what_the_work_inside_has_no_time_for_is_refused_unseen(
    drivers: list[Driver],
) -> None:
    counts, clock = Counts(), Clock()
    engine = PooledEngine(drivers[0].segments, 4, 99, counts, clock)
    sizes = itertools.product(range(NUM_BLOCKS), (1, 4))
    table = [SegmentCost(x, 8, n, None, float(n)) for x, n in sizes]
    engine._costs.use(CostTable(table).line)
    engine.submit(tiny_inputs(5), 0.0, 31.0)  # Takes twenty seconds.
    clock.now += 5.0
    for seconds in (None, 40.0, 20.0):  # The last comes before those inside.
        engine.check_deadline(seconds)
    with pytest.raises(Overloaded, match="Received: deadline") as refusal:
        engine.check_deadline(26.5)
    assert refusal.value.retry_after_seconds == pytest.approx(20)
    assert counts.rejects == ["deadline"]
    engine.start()
    engine.stop(60)


def test_an_observer_must_be_one(drivers: list[Driver]) -> None:
    with pytest.raises(TypeError, match="Received: dict"):
        PooledEngine(drivers[0].segments, observer={"a": 1})
