import numpy as np
import pytest

from fastbert_tf.data.dataset import BUCKET_BOUNDARIES
from fastbert_tf.segments.buckets import (
    all_buckets,
    bucket_lengths,
    cut,
    few_buckets,
    row_lengths,
)

from ..tiny_models import tiny_inputs


def test_a_bucket_is_never_shorter_than_the_row_and_little_longer() -> None:
    lengths = np.arange(1, 513)
    buckets = bucket_lengths(lengths, 512)
    assert (buckets >= lengths).all()
    assert (buckets - lengths < np.maximum(8, lengths / 8)).all()
    assert (np.diff(buckets) >= 0).all()


def test_buckets_are_few() -> None:
    assert len(set(bucket_lengths(np.arange(1, 513), 512))) == 32


def test_a_bucket_is_no_longer_than_the_position_table() -> None:
    assert bucket_lengths(np.array([9, 10, 11]), 11).tolist() == [11, 11, 11]


def test_a_bucket_depends_on_the_row_alone() -> None:
    together = bucket_lengths(np.array([3, 90, 17]), 512)
    alone = [bucket_lengths(np.array([n]), 512)[0] for n in (3, 90, 17)]
    assert together.tolist() == alone == [8, 96, 24]


def test_a_length_reaches_to_the_last_real_token() -> None:
    masks = np.array([[1, 0, 0], [1, 1, 1], [1, 0, 1], [0, 1, 0]])
    assert row_lengths(masks).tolist() == [1, 3, 3, 2]


@pytest.mark.parametrize("length", [3, 7, 9])
def test_cutting_pads_or_trims(length: int) -> None:
    inputs = tiny_inputs(4)
    part = cut(inputs, length, np.array([2, 0]))
    for name, array in part.items():
        assert array.shape == (2, length)
        kept = min(length, 7)
        np.testing.assert_array_equal(
            array[:, :kept], inputs[name][[2, 0], :kept]
        )
        assert not array[:, kept:].any()


@pytest.mark.parametrize(
    ("longest", "expected"),
    [(9, [9]), (16, [16]), (37, [16, 32, 37]), (100, [16, 32, 64, 100])],
)
def test_few_buckets_double_up_to_the_longest_row(
    longest: int, expected: list[int]
) -> None:
    assert few_buckets(longest) == expected


def test_there_is_one_ladder() -> None:
    rungs = set(all_buckets(512, 512))
    assert set(few_buckets(512)) < set(BUCKET_BOUNDARIES) < rungs


def test_every_length_has_its_bucket() -> None:
    assert all_buckets(11, 11) == [8, 11]
    assert all_buckets(17, 512) == [8, 16, 24]
    assert all_buckets(512, 512)[-3:] == [448, 480, 512]
