import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.segments.compaction import Compaction, Rows, compact

H = 12
LEAVES = np.array([True, False, True, False])


def marked_rows(count: int = 4, positions: int = 7) -> Rows:
    """Rows whose every value tells which row it belongs to."""
    ids = np.arange(count)[::-1].copy()
    marked = ids.astype("float32")[:, None, None]
    return Rows(
        tf.constant(np.tile(marked, (1, positions, H))),
        tf.constant(np.tile(ids[:, None], (1, positions)), tf.int32),
        ids,
    )


@pytest.fixture(scope="module")
def compaction() -> Compaction:
    return Compaction(H, "float32")


def test_everything_of_a_row_that_stays_moves_together(
    compaction: Compaction,
) -> None:
    rows = compaction.survivors(marked_rows(), LEAVES)
    assert rows.row_ids.tolist() == [2, 0]
    for tensor in rows[:2]:
        firsts = tf.reshape(tensor, [2, -1])[:, 0]
        np.testing.assert_array_equal(firsts, rows.row_ids)


def test_survivors_are_trimmed_to_what_they_need(
    compaction: Compaction,
) -> None:
    asked = []

    def longest(row_ids: np.ndarray) -> int:
        asked.extend(row_ids)
        return 5

    rows = compaction.survivors(marked_rows(), LEAVES, longest)
    assert asked == [2, 0]
    assert rows.hidden_states.shape == (2, 5, H)
    assert rows.padding_mask.shape == (2, 5)


@pytest.mark.parametrize("leaves", [False, True])
def test_nothing_is_copied_if_all_rows_stay_or_none(
    compaction: Compaction, leaves: bool
) -> None:
    given = marked_rows()
    rows = compaction.survivors(given, np.full(4, leaves))
    assert rows.hidden_states is given.hidden_states
    assert len(rows.row_ids) == (0 if leaves else 4)


def test_it_is_traced_once_for_any_number_of_rows() -> None:
    compaction = Compaction(H, "float32")
    for count, positions in ((4, 7), (2, 3), (64, 7)):
        rows = marked_rows(count, positions)
        leaves = np.arange(count) % 2 == 0
        traced = compaction.survivors(rows, leaves)
        eager = compact(*rows[:2], ~leaves, positions)
        for one, other in zip(traced[:2], eager, strict=True):
            np.testing.assert_array_equal(one, other)
    assert compaction.function.experimental_get_tracing_count() == 1
