from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastbert_tf import (
    ExitResult,
    ExitRule,
    FastBertClassifier,
    normalized_entropy,
    simulate_exits,
)
from fastbert_tf.segments import Driver

from ..tiny_models import NUM_BLOCKS, Inputs, faulty, pad, take, tiny_inputs
from ..tolerances import EXACT, tolerance

Drivers = list[Driver]
Models = list[FastBertClassifier]

LIGHT = settings(
    max_examples=12,
    deadline=None,
    # The seed is set once for all examples, which is as it should be.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SPEEDS = st.sampled_from([0.0, 1.0]) | st.floats(0, 1, width=32)


def settled(exit_logits: np.ndarray, speed: Any) -> np.ndarray:
    """Rows that no exit leaves within the tolerance of its threshold."""
    if isinstance(speed, ExitRule):
        students = speed.of_rows(exit_logits.shape[1])[:, 1:].T  # [L - 1, B]
        exit_logits, speed = exit_logits[:-1], students
    distance = np.abs(normalized_entropy(np.asarray(exit_logits)) - speed)
    return ~(distance <= EXACT).any(axis=0)


def assert_equal(
    result: ExitResult, expected: ExitResult, rows: np.ndarray
) -> None:
    """Equality of the rows named; most must be."""
    assert (~rows).sum() <= 1 + len(rows) // 10
    result, expected = result.take(rows), expected.take(rows)
    np.testing.assert_array_equal(result.exit_index, expected.exit_index)
    np.testing.assert_allclose(result.logits, expected.logits, **tolerance())
    np.testing.assert_allclose(
        result.uncertainty, expected.uncertainty, **tolerance()
    )


BATCHES = {
    "which": st.integers(0, 1),
    "num_rows": st.sampled_from([0, 1, 7, 64]),
    "positions": st.integers(2, 11),
    "padding": st.integers(0, 3),
    "speed": SPEEDS | st.lists(SPEEDS, min_size=64, max_size=64),
    "data_seed": st.integers(0, 99),
}


@LIGHT
@given(batch=st.fixed_dictionaries(BATCHES))
def test_driver_equals_the_oracle(
    models: Models, drivers: Drivers, batch: dict[str, Any]
) -> None:
    check_batch(models, drivers, **batch)


@pytest.mark.slow
@settings(LIGHT, max_examples=200)
@given(batch=st.fixed_dictionaries(BATCHES))
def test_driver_equals_the_oracle_on_many_batches(
    models: Models, drivers: Drivers, batch: dict[str, Any]
) -> None:
    check_batch(models, drivers, **batch)


def check_batch(
    models: Models,
    drivers: Drivers,
    which: int,
    num_rows: int,
    positions: int,
    padding: int,
    speed: Any,
    data_seed: int,
) -> None:
    """One batch through a driver and through the oracle."""
    inputs = tiny_inputs(num_rows, positions, data_seed)
    if isinstance(speed, list):
        speed = np.array(speed[:num_rows])
    exit_logits = models[which].exit_logits(inputs)
    inputs = pad(inputs, min(padding, 11 - positions))
    result = drivers[which].predict(inputs, speed)
    expected = simulate_exits(exit_logits, speed)
    assert_equal(result, expected, settled(exit_logits, speed))


@settings(LIGHT, max_examples=6)
@given(order=st.permutations(range(7)), speed=SPEEDS)
def test_a_row_does_not_depend_on_order_or_company(
    drivers: Drivers, models: Models, order: list[int], speed: float
) -> None:
    inputs = tiny_inputs(7)
    rows = settled(models[0].exit_logits(inputs), speed)
    result = drivers[0].predict(take(inputs, order), speed)
    alone = [drivers[0].predict(take(inputs, [i]), speed) for i in order]
    assert_equal(result, ExitResult.concatenate(alone), rows[order])


@settings(LIGHT, max_examples=20)
@given(speeds=st.tuples(SPEEDS, SPEEDS))
def test_exits_never_grow_with_speed(
    drivers: Drivers, speeds: tuple[float, float]
) -> None:
    slow, fast = (
        drivers[0].predict(tiny_inputs(64), speed) for speed in sorted(speeds)
    )
    assert (fast.exit_index <= slow.exit_index).all()


def test_rows_leave_at_every_segment(drivers: Drivers) -> None:
    """What the tests above rest on."""
    result = drivers[0].predict(tiny_inputs(64), np.linspace(0, 1, 64))
    assert (result.exit_histogram(NUM_BLOCKS) > 0).all()


def test_speed_zero_runs_every_segment(drivers: Drivers) -> None:
    result = drivers[0].predict(tiny_inputs(7), 0)
    assert (result.exit_index == NUM_BLOCKS - 1).all()


def test_a_row_of_one_token_is_answered(drivers: Drivers) -> None:
    inputs = tiny_inputs(positions=1)
    result = drivers[0].predict(inputs, 0.0)
    longer = drivers[0].predict(pad(inputs, 3), 0.0)
    assert_equal(result, longer, np.full(3, True))


def test_no_rows_give_no_answers(drivers: Drivers) -> None:
    result = drivers[0].predict(tiny_inputs(0), 0.5)
    assert result.logits.shape == (0, 5)
    assert len(result) == 0


def test_segments_trace_once_over_all_shapes_and_speeds(
    drivers: Drivers,
) -> None:
    driver = Driver(drivers[0].segments)
    for num_rows in (0, 1, 7, 64):
        for positions in (2, 5, 11):
            inputs = tiny_inputs(num_rows, positions)
            for speed in (0.0, 0.4, np.full(num_rows, 0.7)):
                driver.predict(inputs, speed)
    functions = [
        driver.compaction.function,
        *(segment.function for segment in driver.segments),
        *(segment.advance_function for segment in driver.segments[:-1]),
    ]
    for function in functions:
        assert function.experimental_get_tracing_count() == 1


def test_later_segments_see_the_survivors_alone(drivers: Drivers) -> None:
    sizes = []

    def watch(outputs: dict[str, Any]) -> dict[str, Any]:
        sizes.append(int(outputs["logits"].shape[0]))
        return outputs

    driver = Driver([faulty(x, watch) for x in drivers[0].segments])
    result = driver.predict(tiny_inputs(64), 0.5)
    histogram = result.exit_histogram(NUM_BLOCKS)
    reaching = histogram[::-1].cumsum()[::-1]
    assert sizes == [count for count in reaching if count]


def poisoned(drivers: Drivers, index: int, name: str) -> Driver:
    """A driver whose segment `index` gives NaN for the first row of a batch.

    Uncertainty is computed from the poisoned logits, as a segment would.
    """

    def fault(outputs: dict[str, Any]) -> dict[str, Any]:
        value = outputs[name].numpy()
        value[:1] = np.nan
        outputs[name] = value
        logits = np.asarray(outputs["logits"])
        outputs["uncertainty"] = normalized_entropy(logits)
        return outputs

    segments = list(drivers[0].segments)
    segments[index] = faulty(segments[index], fault)
    return Driver(segments)


def test_nan_never_leaves(drivers: Drivers) -> None:
    inputs = tiny_inputs(7)
    expected = drivers[0].predict(inputs, 1.0)
    result = poisoned(drivers, 0, "logits").predict(inputs, 1.0)
    assert result.exit_index[0] == 1
    assert expected.exit_index[0] == 0
    assert result.is_valid.all()


@pytest.mark.parametrize("speed", [0.0, 0.5, 1.0])
def test_a_row_that_stays_nan_is_invalid_and_alone_in_it(
    drivers: Drivers, speed: float
) -> None:
    inputs = tiny_inputs(7)
    expected = drivers[0].predict(inputs, speed)
    driver = poisoned(drivers, 0, "hidden_states")
    driver.segments[0] = poisoned_everywhere(driver.segments[0])
    result = driver.predict(inputs, speed)
    assert result.labels[0] == -1
    assert result.exit_index[0] == NUM_BLOCKS - 1
    others = np.arange(1, 7)
    assert_equal(result.take(others), expected.take(others), np.full(6, True))


def poisoned_everywhere(segment: Any) -> Any:
    def fault(outputs: dict[str, Any]) -> dict[str, Any]:
        for name in ("logits", "uncertainty"):
            value = np.array(outputs[name])
            value[:1] = np.nan
            outputs[name] = value
        return outputs

    return faulty(segment, fault)


def test_nan_at_the_last_segment_is_an_invalid_row(drivers: Drivers) -> None:
    result = poisoned(drivers, -1, "logits").predict(tiny_inputs(7), 0.0)
    assert result.is_valid.tolist() == [False] + [True] * 6


@pytest.mark.parametrize("chosen", [[], [1, 2, 3], [0, 2, 1, 3], [0, 0, 1]])
def test_segments_out_of_order_are_refused(
    drivers: Drivers, chosen: list[int]
) -> None:
    segments = [drivers[0].segments[i] for i in chosen]
    with pytest.raises(ValueError, match="`segments` must be M0, M1"):
        Driver(segments)


def test_segments_without_the_teacher_are_refused(drivers: Drivers) -> None:
    with pytest.raises(ValueError, match="Received: 3 segments of 4"):
        Driver(drivers[0].segments[:3])


@pytest.mark.parametrize(
    ("speed", "error", "message"),
    [
        (-0.1, ValueError, "speed=-0.1"),
        (1.5, ValueError, "speed=1.5"),
        (float("nan"), ValueError, "speed=nan"),
        ("0.5", TypeError, "speed='0.5'"),
        ([0.5, 0.5], ValueError, r"shape \(2,\)"),
    ],
)
def test_an_impossible_speed_is_refused(
    drivers: Drivers, speed: Any, error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        drivers[0].predict(tiny_inputs(3), speed)


def spoilt(name: str, value: int) -> Inputs:
    inputs = tiny_inputs()
    inputs[name][1, 2] = value
    return inputs


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (spoilt("token_ids", 23), r"`token_ids` must be in \[0, 23\)"),
        (spoilt("token_ids", -1), "`token_ids` .* Received: -1 in row 1"),
        (spoilt("token_type_ids", 2), "`token_type_ids` must be in"),
        (tiny_inputs(positions=12), "Received: 12. Truncate"),
        (tiny_inputs(positions=0), "Received: 0"),
    ],
)
def test_impossible_inputs_are_refused(
    drivers: Drivers, inputs: Inputs, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        drivers[0].predict(inputs, 0.5)
