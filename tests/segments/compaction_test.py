import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.segments.compaction import (
    Answers,
    Rows,
    build_compact,
    compact,
)

from ..tiny_models import tiny_config


def rows_and_answers(
    uncertainty: list[float], speed: list[float]
) -> tuple[Rows, Answers]:
    """Rows whose every value tells which row it belongs to."""
    ids = np.arange(len(speed), dtype="int32")[::-1].copy()
    marked = ids.astype("float32")[:, None]
    rows = Rows(
        tf.constant(np.tile(marked[..., None], (1, 7, 12))),
        tf.constant(np.tile(ids[:, None], (1, 7))),
        tf.constant(ids),
        tf.constant(speed, tf.float32),
    )
    logits = tf.constant(np.tile(marked, (1, 5)))
    return rows, Answers(
        tf.constant(ids), logits, tf.constant(uncertainty, tf.float32)
    )


UNCERTAINTY = [0.2, 0.7, 0.5, 0.1]


def test_rows_under_their_speed_leave_and_the_others_stay() -> None:
    given = rows_and_answers(UNCERTAINTY, [0.3, 0.3, 0.6, 0.1])
    leaving, staying = compact(*given)
    assert leaving.row_ids.numpy().tolist() == [3, 1]
    assert staying.row_ids.numpy().tolist() == [2, 0]


def test_everything_of_a_row_moves_together() -> None:
    given = rows_and_answers(UNCERTAINTY, [0.3, 0.3, 0.6, 0.1])
    leaving, staying = compact(*given)
    for group in (leaving.logits, *staying[:2]):
        ids = staying.row_ids if group is not leaving.logits else [3, 1]
        firsts = tf.reshape(group, [2, -1])[:, 0]
        np.testing.assert_array_equal(firsts, np.asarray(ids))
    np.testing.assert_allclose(leaving.uncertainty, [0.2, 0.5])
    np.testing.assert_allclose(staying.speed, [0.3, 0.1])


def test_a_row_at_its_speed_stays() -> None:
    leaving, _ = compact(*rows_and_answers([0.5], [0.5]))
    assert leaving.row_ids.shape == (0,)


def test_nan_stays_at_any_speed() -> None:
    given = rows_and_answers([np.nan, 0.2], [1.0, 1.0])
    leaving, staying = compact(*given)
    assert leaving.row_ids.numpy().tolist() == [0]
    assert staying.row_ids.numpy().tolist() == [1]


@pytest.mark.parametrize(("speed", "num_leaving"), [(0.0, 0), (1.0, 4)])
def test_all_rows_may_leave_or_stay(speed: float, num_leaving: int) -> None:
    leaving, staying = compact(*rows_and_answers(UNCERTAINTY, [speed] * 4))
    assert leaving.row_ids.shape == (num_leaving,)
    assert staying.hidden_states.shape == (4 - num_leaving, 7, 12)


def test_it_is_traced_once_for_any_number_of_rows() -> None:
    traced = build_compact(tiny_config(), "float32")
    for count in (4, 0, 1, 64):
        speed = ([0.3, 0.8] * count)[:count]
        given = rows_and_answers([0.5] * count, speed)
        eager = compact(*given)
        for group, expected in zip(traced(*given), eager, strict=True):
            for one, other in zip(group, expected, strict=True):
                np.testing.assert_array_equal(one, other)
    assert traced.experimental_get_tracing_count() == 1
