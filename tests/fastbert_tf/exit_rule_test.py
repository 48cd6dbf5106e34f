from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import (
    ExitRule,
    entropy_score,
    leaves,
    leaving,
    normalized_entropy,
    simulate_exits,
    speed_thresholds,
)

LOGITS = np.random.default_rng(1).normal(0, 2, (4, 9, 5)).astype("float32")
FIRST = np.random.default_rng(2).normal(0, 2, (9, 5)).astype("float32")
NONE = np.nan


def test_a_speed_is_one_threshold_at_every_student() -> None:
    rule = ExitRule.of(0.3, 4)
    np.testing.assert_array_equal(
        rule.thresholds, np.array([NONE, 0.3, 0.3, 0.3], np.float32)
    )
    assert rule.asked_exits == (0, 1, 2, 3)
    assert rule.may_leave


def test_speed_zero_asks_no_student() -> None:
    rule = ExitRule.of(0, 4)
    assert np.isnan(rule.thresholds).all()
    assert rule.asked_exits == (3,)
    assert not rule.may_leave


def test_a_speed_a_row_is_a_rule_a_row() -> None:
    rule = ExitRule.of([0.0, 0.5], 4, 2)
    assert rule.num_rows == 2
    assert rule.may_leave.tolist() == [False, True]
    assert rule.asked_exits == (0, 1, 2, 3)
    assert np.isnan(rule.of_rows(2)[0]).all()


def test_a_rule_is_itself_everywhere() -> None:
    rule = ExitRule([NONE, 0.2, NONE, 0.5])
    assert ExitRule.of(rule, 4, 9) is rule
    assert rule.of_rows(9).shape == (9, 4)


def test_an_exit_that_is_off_lets_nobody_go() -> None:
    rule = ExitRule([NONE, 1.0, None, 1.0])
    assert rule.asked_exits == (0, 2, 3)
    result = simulate_exits(LOGITS, rule)
    assert not (result.exit_index == 1).any()
    expected = simulate_exits(LOGITS, 1.0, exits=(0, 2, 3))
    np.testing.assert_array_equal(result.exit_index, expected.exit_index)


def test_every_exit_has_a_threshold_of_its_own() -> None:
    uncertainty = normalized_entropy(LOGITS)
    rule = ExitRule([NONE, 0.0, 1.0, 0.4])
    result = simulate_exits(LOGITS, rule)
    expected = np.where(uncertainty[1] < 1.0, 1, 3)
    np.testing.assert_array_equal(result.exit_index, expected)


def test_asked_is_not_let_go() -> None:
    rule = ExitRule.nobody_leaves(4)
    assert rule.asked_exits == (0, 1, 2, 3)
    assert not rule.may_leave
    saturated = LOGITS * 1e4
    assert (simulate_exits(saturated, rule).exit_index == 3).all()


def test_the_exit_before_block_0_is_asked_where_a_rule_asks_it() -> None:
    rule = ExitRule([0.5, 0.0, 0.0, 0.0])
    result = simulate_exits(LOGITS, rule, FIRST)
    leave = normalized_entropy(FIRST) < 0.5
    assert 0 < leave.sum() < 9
    np.testing.assert_array_equal(result.exit_index, np.where(leave, -1, 3))
    np.testing.assert_array_equal(result.logits[leave], FIRST[leave])
    assert rule.asked_exits == (-1, 0, 1, 2, 3)
    assert rule.only((3,)).asked_exits == (-1, 3)


def test_it_is_not_asked_at_a_speed_or_without_its_logits() -> None:
    speed = simulate_exits(LOGITS, 0.5, FIRST)
    assert speed.exit_index.min() >= 0
    rule = ExitRule([1.0, 0.0, 0.0, 0.0])
    assert (simulate_exits(LOGITS, rule).exit_index == 3).all()


def second_opinion(logits: Any, state: Any) -> tuple[Any, Any]:
    """The larger of this exit's uncertainty and that of the one before."""
    own = normalized_entropy(logits)
    before = own if state is None else state
    return np.maximum(own, before), own


def test_a_score_may_remember_the_exits_before() -> None:
    rule = ExitRule([NONE, 0.5, 0.5, 0.5], second_opinion)
    u = normalized_entropy(LOGITS)
    both = [u[0] < 0.5, np.maximum(*u[:2]) < 0.5, np.maximum(*u[1:3]) < 0.5]
    np.testing.assert_array_equal(leaving(LOGITS, rule)[1:4], both)


def test_a_score_sees_the_exits_asked_alone() -> None:
    rule = ExitRule([NONE, 0.5, NONE, 0.5], second_opinion)
    u = normalized_entropy(LOGITS)
    expected = np.maximum(u[0], u[2]) < 0.5
    np.testing.assert_array_equal(leaving(LOGITS, rule)[3], expected)


def test_nan_on_either_side_stays() -> None:
    score = np.array([0.1, NONE, 0.1, 0.0], np.float32)
    threshold = np.array([0.2, 0.2, NONE, 0.0], np.float32)
    expected = [True, False, False, False]
    assert leaves(score, threshold).tolist() == expected
    tensors = leaves(tf.constant(score), tf.constant(threshold))
    assert tensors.numpy().tolist() == expected


@pytest.mark.parametrize("speed", [0.0, 0.3, [0.0, 0.2, 1.0]])
def test_thresholds_of_tensors_are_those_of_arrays(speed: Any) -> None:
    speed = np.asarray(speed, np.float32)
    tensors = speed_thresholds(tf.constant(speed), 4)
    np.testing.assert_array_equal(tensors, speed_thresholds(speed, 4))


def test_the_default_score_is_normalized_entropy() -> None:
    score, state = entropy_score(FIRST, None)
    np.testing.assert_array_equal(score, normalized_entropy(FIRST))
    assert state is None


def test_a_rule_cannot_be_changed() -> None:
    rule = ExitRule([NONE, 0.5])
    with pytest.raises(ValueError, match="read-only"):
        rule.thresholds[1] = 0.1


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ([0.1, 1.5], r"in \[0, 1\]"),
        ([0.1, -0.5], r"in \[0, 1\]"),
        ([0.1, np.inf], r"in \[0, 1\]"),
        ([], r"shape \[L\] or"),
        (0.5, r"shape \[L\] or"),
        ([[[0.5]]], r"shape \[L\] or"),
    ],
)
def test_impossible_thresholds_are_refused(
    thresholds: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ExitRule(thresholds)


@pytest.mark.parametrize("thresholds", ["half", ["a", "b"], [[0.1], [1, 2]]])
def test_thresholds_that_are_no_numbers_are_refused(thresholds: Any) -> None:
    with pytest.raises(TypeError, match="must be numbers"):
        ExitRule(thresholds)


def test_a_rule_of_another_model_or_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="of 4 exits, as the model"):
        ExitRule.of(ExitRule([NONE, 0.5]), 4)
    with pytest.raises(ValueError, match="of 3 rows"):
        ExitRule.of(ExitRule.of([0.1, 0.2], 4, 2), 4, 3)


def test_a_score_with_a_memory_needs_rows_that_ask_alike() -> None:
    with pytest.raises(ValueError, match="ask the same exits"):
        ExitRule([[NONE, 0.5], [NONE, NONE]], second_opinion)


def test_a_rule_is_given_once() -> None:
    with pytest.raises(TypeError, match="must be given, once"):
        simulate_exits(LOGITS)
    with pytest.raises(TypeError, match="must be given, once"):
        simulate_exits(LOGITS, 0.5, speed=0.5)
    received = simulate_exits(LOGITS, speed=0.5).exit_index
    np.testing.assert_array_equal(
        received, simulate_exits(LOGITS, 0.5).exit_index
    )


def test_first_logits_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \[9, 5\]"):
        simulate_exits(LOGITS, 0.5, FIRST[:3])


def test_a_part_is_the_rule_of_some_rows() -> None:
    rule = ExitRule([[None, 0.1], [None, 0.2], [None, 0.3]])
    assert rule.part(slice(1, 3)).num_rows == 2
    np.testing.assert_array_equal(rule.part(slice(1, 3)).at(0), rule.at(0)[1:])
    of_all = ExitRule([None, 0.1])
    assert of_all.part(slice(1, 3)) is of_all
