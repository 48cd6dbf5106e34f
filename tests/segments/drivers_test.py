"""What every driver promises: the oracle's answers, in the order given."""

import concurrent.futures
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbert_tf import (
    ExitResult,
    FastBertClassifier,
    simulate_exits,
)
from fastbert_tf.segments import (
    Driver,
    PooledDriver,
    SegmentPlan,
    SingleGraphDriver,
    build_segments,
    for_latency,
    for_throughput,
)
from fastbert_tf.segments.benchmarks.endurance import resident_bytes

from ..tiny_models import NUM_BLOCKS, faulty, random_model, take, tiny_inputs
from .driver_test import LIGHT, SPEEDS, assert_equal, settled

Models = list[FastBertClassifier]
PLAN = SegmentPlan(NUM_BLOCKS, (1, 3))


@pytest.fixture(scope="module")
def planned(models: Models) -> dict[str, Any]:
    """A driver of each kind that asks two exits alone."""
    segments = build_segments(models[0], plan=PLAN)
    return {
        "driver": Driver(segments),
        "pools": PooledDriver(segments, 4),
        "single graph": SingleGraphDriver(models[0], plan=PLAN),
    }


BATCHES = {
    "num_rows": st.sampled_from([0, 1, 7, 64]),
    "positions": st.integers(2, 11),
    "speed": SPEEDS | st.lists(SPEEDS, min_size=64, max_size=64),
    "data_seed": st.integers(0, 99),
}


def check(
    drivers: dict[str, Any],
    model: FastBertClassifier,
    batch: dict[str, Any],
    exits: tuple[int, ...] | None = None,
) -> None:
    """One batch through every driver and through the oracle."""
    num_rows, speed = batch["num_rows"], batch["speed"]
    if isinstance(speed, list):
        speed = np.array(speed[:num_rows])
    inputs = tiny_inputs(num_rows, batch["positions"], batch["data_seed"])
    logits = model.exit_logits(inputs)
    expected = simulate_exits(logits, speed, exits=exits)
    for driver in drivers.values():
        result = driver.predict(inputs, speed)
        assert_equal(result, expected, settled(logits, speed))


@settings(LIGHT, max_examples=10)
@given(batch=st.fixed_dictionaries(BATCHES))
def test_every_driver_equals_the_oracle(
    models: Models, several: dict[str, Any], batch: dict[str, Any]
) -> None:
    check(several, models[0], batch)


@pytest.mark.slow
@settings(LIGHT, max_examples=100)
@given(batch=st.fixed_dictionaries(BATCHES))
def test_every_driver_equals_the_oracle_on_many_batches(
    models: Models, several: dict[str, Any], batch: dict[str, Any]
) -> None:
    check(several, models[0], batch)


@settings(LIGHT, max_examples=10)
@given(batch=st.fixed_dictionaries(BATCHES))
def test_every_driver_runs_any_plan(
    models: Models, planned: dict[str, Any], batch: dict[str, Any]
) -> None:
    check(planned, models[0], batch, PLAN.exits)


KINDS = ("driver", "pools of 4", "single graph")


@pytest.mark.parametrize("kind", KINDS)
def test_order_and_company_do_not_matter(
    several: dict[str, Any], kind: str
) -> None:
    driver, inputs = several[kind], tiny_inputs(64, 11)
    order = np.random.default_rng(0).permutation(64)
    result = driver.predict(inputs, 0.5)
    shuffled = driver.predict(take(inputs, order), 0.5)
    assert_equal(shuffled, result.take(order), np.full(64, True))


def test_pooled_rows_are_answered_as_they_are_alone(
    several: dict[str, Any],
) -> None:
    """Each is padded to the bucket of its own length, whoever is there."""
    driver, inputs = several["pools of 4"], tiny_inputs(16, 11)
    together = driver.predict(inputs, 0.5)
    alone = ExitResult.concatenate(
        [driver.predict(take(inputs, [i]), 0.5) for i in range(16)]
    )
    assert_equal(together, alone, np.full(16, True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"speed": float("nan")}, "speed=nan"),
        ({"speed": [0.5]}, r"shape \(1,\)"),
        ({"token_ids": np.full((3, 7), 23)}, r"must be in \[0, 23\)"),
        ({"padding_mask": np.zeros((3, 7), int)}, "must have a real token"),
    ],
)
def test_every_driver_refuses_the_same(
    several: dict[str, Any], kind: str, change: dict[str, Any], error: str
) -> None:
    given = {**tiny_inputs(), "speed": 0.5, **change}
    speed = given.pop("speed")
    with pytest.raises(ValueError, match=error):
        several[kind].predict(given, speed)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_without_an_answer_is_alone_in_it(kind: str) -> None:
    model = random_model(1, num_hidden_layers=2)
    table = model.embeddings.token_embedding.embeddings
    value = table.numpy()
    value[22] = 3e38
    table.assign(value)
    segments = build_segments(model)
    driver = {
        "driver": lambda: Driver(segments),
        "pools of 4": lambda: PooledDriver(segments, 4),
        "single graph": lambda: SingleGraphDriver(model),
    }[kind]()
    inputs = tiny_inputs(7)
    inputs["token_ids"] = np.minimum(inputs["token_ids"], 21)
    expected = driver.predict(inputs, 1.0)
    inputs["token_ids"][2, 0] = 22
    result = driver.predict(inputs, 1.0)
    assert result.is_valid.tolist() == [i != 2 for i in range(7)]
    assert result.exit_index[2] == 1
    others = np.array([0, 1, 3, 4, 5, 6])
    assert_equal(result.take(others), expected.take(others), np.full(6, True))


@pytest.mark.parametrize("build", [for_latency, for_throughput])
def test_drivers_by_purpose_answer_and_take_a_plan(
    models: Models, build: Callable[..., Any]
) -> None:
    result = build(models[0], plan=PLAN).predict(tiny_inputs(7), 0.5)
    logits = models[0].exit_logits(tiny_inputs(7))
    expected = simulate_exits(logits, 0.5, exits=PLAN.exits)
    assert_equal(result, expected, settled(logits, 0.5))


def test_the_single_graph_is_traced_once(several: dict[str, Any]) -> None:
    driver = several["single graph"]
    for num_rows in (0, 1, 64):
        driver.predict(tiny_inputs(num_rows, 5), 0.5)
        driver.predict(tiny_inputs(num_rows), np.full(num_rows, 0.7))
    assert driver.function.experimental_get_tracing_count() == 1


def test_threads_share_a_driver(several: dict[str, Any]) -> None:
    """Calls keep their rows apart, the first without students included."""
    driver = PooledDriver(build_segments(random_model(36)), 4)
    speeds = [0.0, 0.3, 0.5, 1.0] * 3
    inputs = [tiny_inputs(16, 11, i) for i in range(12)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(driver.predict, inputs, speeds))
    for x, speed, result in zip(inputs, speeds, results, strict=True):
        expected = several["pools of 4"].predict(x, speed)
        assert_equal(result, expected, np.full(16, True))


def test_a_failing_segment_ends_one_call_and_not_the_next(
    drivers: list[Driver],
) -> None:
    fails = [True]

    def fault(outputs: dict[str, Any]) -> dict[str, Any]:
        if fails:
            raise RuntimeError("out of memory")
        return outputs

    segments = list(drivers[0].segments)
    segments[1] = faulty(segments[1], fault)
    driver = PooledDriver(segments, 4)
    with pytest.raises(RuntimeError, match="out of memory"):
        driver.predict(tiny_inputs(16), 0.1)
    fails.clear()
    expected = drivers[0].predict(tiny_inputs(16), 0.1)
    result = driver.predict(tiny_inputs(16), 0.1)
    assert_equal(result, expected, np.full(16, True))


def functions_of(driver: Any) -> list[Any]:
    """Every `tf.function` of a driver."""
    if isinstance(driver, SingleGraphDriver):
        return [driver.function]
    return [
        driver.compaction.function,
        *(segment.function for segment in driver.segments),
        *(segment.advance_function for segment in driver.segments[:-1]),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_random_shapes_leave_memory_and_traces_as_they_were(
    several: dict[str, Any], kind: str
) -> None:
    driver, rng = several[kind], np.random.default_rng(0)
    memory = []
    for i in range(15_000):
        rows, positions = rng.integers(0, 40), rng.integers(1, 12)
        speed = rng.random() if i % 10 else 0.0
        driver.predict(tiny_inputs(rows, positions, i), speed)
        if i % 1000 == 999:
            memory.append(resident_bytes() / 2**20)
    # oneDNN keeps what it compiled for a shape, up to a limit that is reached
    # by then. A leak of 4 KiB a call would be twice as much.
    assert memory[-1] - memory[5] < 16
    for function in functions_of(driver):
        assert function.experimental_get_tracing_count() == 1
