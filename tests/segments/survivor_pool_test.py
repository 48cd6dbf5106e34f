import pytest

from fastbert_tf.segments.survivor_pool import SurvivorPool

from .marked_rows import H, check_marked, marked_rows


@pytest.fixture
def pool() -> SurvivorPool:
    pool = SurvivorPool()
    pool.add(marked_rows([3, 1, 4]))
    pool.add(marked_rows([]))
    pool.add(marked_rows([9, 2]))
    return pool


def test_rows_are_taken_in_any_order(pool: SurvivorPool) -> None:
    check_marked(pool.take([2, 4, 3]), [3, 4, 2])
    check_marked(pool.take([1, 9]), [1, 9])
    assert len(pool) == 0


def test_a_batch_taken_whole_is_not_copied() -> None:
    pool, rows = SurvivorPool(), marked_rows([5, 6])
    pool.add(rows)
    assert pool.take([6, 5]).hidden_states is rows.hidden_states


def test_dropped_rows_hold_no_memory(pool: SurvivorPool) -> None:
    pool.drop([3, 4, 9, 2, 77])
    assert len(pool) == 1
    (rows,) = pool._parts
    assert rows.hidden_states.shape == (1, 7, H)


def test_a_row_that_is_not_there_is_an_error(pool: SurvivorPool) -> None:
    with pytest.raises(KeyError, match="1 of 2 rows are not here"):
        pool.take([3, 77])
    assert len(pool) == 5
