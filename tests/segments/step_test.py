import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.segments import Driver
from fastbert_tf.segments.compaction import Rows
from fastbert_tf.segments.step import CheckedRows, Step, start_step

from ..tiny_models import faulty, tiny_inputs

UNCERTAINTY = [0.2, 0.7, 0.5, np.nan]


def step_of(driver: Driver, index: int, speed: list[float]) -> Step:
    """A step whose segment is unsure of its rows as told above."""
    segment = faulty(
        driver.segments[index],
        lambda x: {**x, "uncertainty": tf.constant(UNCERTAINTY)},
    )
    states = tf.zeros([4, 7, 12])
    rows = Rows(states, tf.ones([4, 7], tf.int32), np.arange(4))
    return start_step(segment, rows, np.array(speed, np.float32))


def test_rows_under_their_speed_leave(drivers: list[Driver]) -> None:
    step = step_of(drivers[0], 1, [0.3, 0.3, 0.6, 0.1])
    assert step.leaves.numpy().tolist() == [True, False, True, False]


def test_a_row_at_its_speed_stays(drivers: list[Driver]) -> None:
    step = step_of(drivers[0], 1, [0.2, 0.7, 0.5, 1.0])
    assert not step.leaves.numpy().any()


def test_nan_stays_at_any_speed(drivers: list[Driver]) -> None:
    step = step_of(drivers[0], 1, [1.0] * 4)
    assert step.leaves.numpy().tolist() == [True, True, True, False]


def test_the_teacher_answers_every_row(drivers: list[Driver]) -> None:
    assert step_of(drivers[0], -1, [0.0] * 4).leaves.all()


def test_the_answer_is_left_on_the_device(drivers: list[Driver]) -> None:
    step = step_of(drivers[0], 1, [0.3] * 4)
    assert tf.is_tensor(step.leaves)


@pytest.mark.parametrize("index", [0, 1])
def test_no_student_is_asked_where_no_row_may_leave(
    drivers: list[Driver], index: int
) -> None:
    inputs = tiny_inputs(4)
    segment = drivers[0].segments[index]
    rows = Rows(
        tf.random.normal([4, 7, 12]), inputs["padding_mask"], np.arange(4)
    )
    first = {"inputs": inputs if index == 0 else None}
    step = start_step(segment, rows, np.zeros(4, np.float32), **first)
    assert step.outputs == {}
    assert not step.leaves.any()
    asked = start_step(segment, rows, np.ones(4, np.float32), **first)
    np.testing.assert_allclose(
        step.rows.hidden_states, asked.rows.hidden_states, atol=1e-6
    )


def test_rows_are_trimmed_to_the_longest(
    drivers: list[Driver],
) -> None:
    inputs = {name: np.array(x) for name, x in tiny_inputs(3, 7).items()}
    inputs["padding_mask"][:] = [[1, 1, 0, 0, 0, 0, 0]] * 2 + [
        [1, 1, 1, 1, 0, 0, 0]
    ]
    checked = CheckedRows.of(inputs, 0.5, drivers[0].config)
    assert checked.lengths.tolist() == [2, 2, 4]
    assert checked.speed.tolist() == [0.5] * 3
    trimmed = checked.trimmed().inputs
    shapes = {tuple(x.shape) for x in trimmed.values()}
    assert shapes == {(3, 4)}
