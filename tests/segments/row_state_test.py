from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import ExitRule
from fastbert_tf.segments.row_state import RowState, joined

from .marked_rows import check_marked, marked_rows

each_kind = pytest.mark.parametrize("to", [tf.constant, np.asarray])
To = Callable[[np.ndarray], Any]


@each_kind
def test_everything_of_a_row_is_selected_together(to: To) -> None:
    rows = marked_rows([3, 1, 4, 9], to=to)
    check_marked(rows.select(np.array([True, False, False, True])), [3, 9])
    check_marked(rows.select(np.zeros(4, bool)), [])
    check_marked(rows.part(1, 3), [1, 4])


@each_kind
def test_states_are_joined_in_order(to: To) -> None:
    parts = [marked_rows(ids, to=to) for ids in ([3], [1, 4], [])]
    check_marked(joined(parts), [3, 1, 4])


@each_kind
def test_the_kind_of_the_rows_is_kept(to: To) -> None:
    rows = marked_rows([3, 1], to=to)
    kept = joined([rows.select(np.array([True, False])), rows])
    assert isinstance(kept.hidden_states, type(rows.hidden_states))


def test_nothing_is_copied_for_all_rows() -> None:
    rows = marked_rows([3, 1])
    assert rows.select(np.ones(2, bool)) is rows
    assert joined([rows]) is rows


def test_inputs_are_for_the_first_segment_alone() -> None:
    rows = marked_rows([3])._replace(inputs={"token_ids": tf.ones([1, 7])})
    behind = rows.behind(rows.hidden_states)
    assert behind.inputs is None
    assert behind.row_ids is rows.row_ids


def asking(*rules: Any) -> RowState:
    thresholds = np.stack([ExitRule.of(x, 5).thresholds for x in rules])
    return marked_rows(range(len(rules)))._replace(thresholds=thresholds)


def test_a_student_is_asked_if_some_row_asks_it() -> None:
    off = ExitRule([None, 0.5, None, 0.0, None])
    assert [asking(0.0, off).asks(i) for i in range(4)] == [1, 0, 1, 0]
    assert asking(off, 0.1).asks(1)
    assert not asking(0.0, 0.0).asks(2)
