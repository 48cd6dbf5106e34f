from typing import Any

import numpy as np
import pytest

from fastbert_tf import normalized_entropy, simulate_exits
from fastbert_tf.speed import check_speed

LOGITS = np.random.default_rng(1).normal(0, 2, (4, 9, 5)).astype("float32")


def walk(logits: np.ndarray, speeds: np.ndarray) -> list[int]:
    """Where each row leaves, one row and one exit at a time."""
    exits = []
    for row, speed in enumerate(speeds):
        index = 0
        while index < len(logits) - 1:
            if normalized_entropy(logits[index, row]) < np.float32(speed):
                break
            index += 1
        exits.append(index)
    return exits


@pytest.mark.parametrize("speed", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_rows_leave_where_a_walk_through_the_exits_ends(speed: float) -> None:
    result = simulate_exits(LOGITS, speed)
    assert result.exit_index.tolist() == walk(LOGITS, np.full(9, speed))


def test_each_row_has_its_own_speed() -> None:
    speeds = np.linspace(0, 1, 9)
    result = simulate_exits(LOGITS, speeds)
    assert result.exit_index.tolist() == walk(LOGITS, speeds)


def test_answers_are_those_of_the_exit_that_was_taken() -> None:
    result = simulate_exits(LOGITS, 0.5)
    rows = np.arange(9)
    logits = LOGITS[result.exit_index, rows]
    np.testing.assert_array_equal(result.logits, logits)
    np.testing.assert_array_equal(
        result.uncertainty, normalized_entropy(logits)
    )


def test_speed_zero_runs_every_segment() -> None:
    saturated = LOGITS * 1e4
    assert (simulate_exits(saturated, 0).exit_index == 3).all()


def test_a_row_at_the_threshold_stays() -> None:
    at = normalized_entropy(LOGITS)[0, 0]
    above = np.nextafter(at, np.float32(1))
    first = LOGITS[:, :1]
    assert simulate_exits(first, at).exit_index[0] > 0
    assert simulate_exits(first, above).exit_index[0] == 0


def test_a_uniform_row_does_not_leave_early_even_at_speed_one() -> None:
    assert simulate_exits(np.zeros((4, 1, 3)), 1.0).exit_index[0] == 3


def test_exits_never_grow_with_speed() -> None:
    exits = [simulate_exits(LOGITS, s).exit_index for s in np.arange(11) / 10]
    assert (np.diff(exits, axis=0) <= 0).all()


def test_nan_never_leaves_before_the_last_exit() -> None:
    logits = LOGITS.copy()
    logits[:, 4] = np.nan
    result = simulate_exits(logits, 1.0)
    assert result.exit_index[4] == 3
    assert np.flatnonzero(~result.is_valid).tolist() == [4]


def test_a_row_leaves_at_the_first_sound_exit_after_nan() -> None:
    logits = LOGITS.copy()
    logits[:2, 4] = np.nan
    assert simulate_exits(logits, 1.0).exit_index[4] == 2


def test_no_rows_give_no_answers() -> None:
    assert len(simulate_exits(LOGITS[:, :0], 0.5)) == 0


def test_logits_of_one_exit_without_axis_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Received: shape \(9, 5\)"):
        simulate_exits(LOGITS[0], 0.5)


@pytest.mark.parametrize("speed", [-0.1, 1.1, np.nan, np.inf, [0.5, np.nan]])
def test_speeds_outside_the_range_are_refused(speed: Any) -> None:
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]\. Received"):
        check_speed(speed, 2)


@pytest.mark.parametrize("speed", ["0.5", None, True, [None, 1], 1j])
def test_speeds_that_are_no_numbers_are_refused(speed: Any) -> None:
    with pytest.raises(TypeError, match="must be a number"):
        check_speed(speed, 2)


@pytest.mark.parametrize("speed", [[0.5], [0.1] * 3, [[0.1, 0.2]]])
def test_speeds_of_another_number_of_rows_are_refused(speed: Any) -> None:
    with pytest.raises(ValueError, match=r"shape \(\) or \(2,\)"):
        check_speed(speed, 2)


def test_rows_pass_exits_that_are_not_asked():
    sure, unsure = [9.0, 0.0], [0.1, 0.0]
    logits = np.array([[sure], [unsure], [sure], [unsure]])
    assert simulate_exits(logits, 0.5).exit_index.tolist() == [0]
    result = simulate_exits(logits, 0.5, exits=(1, 2, 3))
    assert result.exit_index.tolist() == [2]
    np.testing.assert_allclose(result.logits, [sure])
    assert simulate_exits(logits, 0.5, exits=(1, 3)).exit_index == [3]


@pytest.mark.parametrize(
    "exits", [(), (0,), (2, 1, 3), (1, 1, 3), (0, 4), (-1, 3)]
)
def test_impossible_exits_are_refused(exits):
    with pytest.raises(ValueError, match="end with the last, 3"):
        simulate_exits(np.zeros((4, 1, 2)), 0.5, exits=exits)
