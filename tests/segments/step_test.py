from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import ExitRule
from fastbert_tf.segments import Driver
from fastbert_tf.segments.row_state import RowState
from fastbert_tf.segments.step import CheckedRows, Step, start_step

from ..tiny_models import faulty, tiny_inputs

UNCERTAINTY = [0.2, 0.7, 0.5, np.nan]


def rows_at(speed: Any, states: Any, mask: Any, **more: Any) -> RowState:
    rule = ExitRule.of(np.array(speed, np.float32), 4, 4)
    return RowState(states, mask, np.arange(4), rule.of_rows(4), **more)


def step_of(driver: Driver, index: int, speed: list[float]) -> Step:
    """A step whose segment is unsure of its rows as told above."""
    segment = faulty(
        driver.segments[index],
        lambda x: {**x, "uncertainty": tf.constant(UNCERTAINTY)},
    )
    rows = rows_at(speed, tf.zeros([4, 7, 12]), tf.ones([4, 7], tf.int32))
    return start_step(segment, rows)


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
def test_no_student_is_run_that_no_row_asks(
    drivers: list[Driver], index: int
) -> None:
    inputs = tiny_inputs(4)
    segment = drivers[0].segments[index]
    given = tf.random.normal([4, 7, 12]), inputs["padding_mask"]
    step = start_step(segment, rows_at(0.0, *given, inputs=inputs))
    assert step.outputs == {}
    assert not step.leaves.any()
    asked = start_step(segment, rows_at(1.0, *given, inputs=inputs))
    np.testing.assert_allclose(
        step.rows.hidden_states, asked.rows.hidden_states, atol=1e-6
    )


def test_a_student_may_be_asked_and_let_nobody_go(
    drivers: list[Driver],
) -> None:
    nobody = ExitRule.nobody_leaves(4).of_rows(4)
    rows = rows_at(0.0, tf.zeros([4, 7, 12]), tf.ones([4, 7], tf.int32))
    rows = rows._replace(thresholds=nobody)
    step = start_step(drivers[0].segments[1], rows)
    assert set(step.outputs) == {"hidden_states", "logits", "uncertainty"}
    assert not step.leaves.numpy().any()


def test_rows_are_trimmed_to_the_longest(
    drivers: list[Driver],
) -> None:
    inputs = {name: np.array(x) for name, x in tiny_inputs(3, 7).items()}
    inputs["padding_mask"][:] = [[1, 1, 0, 0, 0, 0, 0]] * 2 + [
        [1, 1, 1, 1, 0, 0, 0]
    ]
    checked = CheckedRows.of(inputs, 0.5, drivers[0].config)
    assert checked.lengths.tolist() == [2, 2, 4]
    assert checked.thresholds[:, 1].tolist() == [0.5] * 3
    trimmed = checked.trimmed().inputs
    shapes = {tuple(x.shape) for x in trimmed.values()}
    assert shapes == {(3, 4)}
