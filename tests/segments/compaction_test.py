from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.segments.compaction import Compaction, compact

from .marked_rows import H, check_marked, marked_rows

IDS = (3, 2, 1, 0)
LEAVES = np.array([True, False, True, False])


@pytest.fixture(scope="module")
def compaction() -> Compaction:
    return Compaction(H, "float32")


@pytest.mark.parametrize("to", [tf.constant, np.asarray])
def test_everything_of_a_row_that_stays_moves_together(
    compaction: Compaction, to: Callable[[np.ndarray], Any]
) -> None:
    rows = compaction.survivors(marked_rows(IDS, to=to), LEAVES)
    check_marked(rows, [2, 0])
    assert isinstance(rows.hidden_states, type(to(np.zeros(1))))


def test_survivors_are_trimmed_to_what_they_need(
    compaction: Compaction,
) -> None:
    asked = []

    def longest(row_ids: np.ndarray) -> int:
        asked.extend(row_ids)
        return 5

    rows = compaction.survivors(marked_rows(IDS), LEAVES, longest)
    assert asked == [2, 0]
    assert rows.hidden_states.shape == (2, 5, H)
    assert rows.padding_mask.shape == (2, 5)


def test_nothing_is_copied_if_all_rows_stay(compaction: Compaction) -> None:
    given = marked_rows(IDS)
    assert compaction.survivors(given, np.zeros(4, bool)) is given


def test_nothing_is_left_if_all_rows_leave(compaction: Compaction) -> None:
    check_marked(compaction.survivors(marked_rows(IDS), np.ones(4, bool)), [])


def test_it_is_traced_once_for_any_number_of_rows() -> None:
    compaction = Compaction(H, "float32")
    for count, positions in ((4, 7), (2, 3), (64, 7)):
        rows = marked_rows(range(count), positions)
        leaves = np.arange(count) % 2 == 0
        traced = compaction.survivors(rows, leaves)
        eager = compact(*rows[:2], ~leaves, positions)
        for one, other in zip(traced[:2], eager, strict=True):
            np.testing.assert_array_equal(one, other)
    assert compaction.function.experimental_get_tracing_count() == 1
