import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.segments.compaction import Rows
from fastbert_tf.segments.survivor_pool import SurvivorPool

H, POSITIONS = 12, 7


def rows_of(*row_ids: int) -> Rows:
    """Rows whose every value tells which row it belongs to."""
    ids = np.array(row_ids)
    marked = ids.astype("float32")[:, None, None]
    return Rows(
        tf.constant(np.tile(marked, (1, POSITIONS, H))),
        tf.constant(np.tile(ids[:, None], (1, POSITIONS)), tf.int32),
        ids,
    )


def check(rows: Rows, *row_ids: int) -> None:
    assert rows.row_ids.tolist() == list(row_ids)
    for tensor in rows[:2]:
        firsts = tf.reshape(tensor, [len(row_ids), -1])[:, 0]
        np.testing.assert_array_equal(firsts, row_ids)


@pytest.fixture
def pool() -> SurvivorPool:
    pool = SurvivorPool()
    pool.add(rows_of(3, 1, 4))
    pool.add(rows_of())
    pool.add(rows_of(9, 2))
    return pool


def test_rows_are_taken_in_any_order(pool: SurvivorPool) -> None:
    check(pool.take([2, 4, 3]), 3, 4, 2)
    check(pool.take([1, 9]), 1, 9)
    assert len(pool) == 0


def test_a_batch_taken_whole_is_not_copied() -> None:
    pool, rows = SurvivorPool(), rows_of(5, 6)
    pool.add(rows)
    assert pool.take([6, 5]).hidden_states is rows.hidden_states


def test_dropped_rows_hold_no_memory(pool: SurvivorPool) -> None:
    pool.drop([3, 4, 9, 2, 77])
    assert len(pool) == 1
    (rows,) = pool._parts
    assert rows.hidden_states.shape == (1, POSITIONS, H)


def test_a_row_that_is_not_there_is_an_error(pool: SurvivorPool) -> None:
    with pytest.raises(KeyError, match="1 of 2 rows are not here"):
        pool.take([3, 77])
    assert len(pool) == 5
