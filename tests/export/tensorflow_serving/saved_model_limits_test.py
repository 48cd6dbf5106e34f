"""The SavedModel for TensorFlow Serving: what it refuses, many callers."""

import concurrent.futures
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.export.tensorflow_serving.saved_model_test import (
    InvalidArgument,
    speeds,
    texts_of,
)
from tests.tiny_models import tiny_inputs


def test_no_rows_are_a_normal_case(signatures: Any) -> None:
    received = signatures["serving_default"](text=texts_of([]))
    assert received["probabilities"].shape == (0, 5)
    assert all(len(value) == 0 for value in received.values())


@pytest.mark.parametrize(
    ("speed", "message"),
    [
        ([float("nan")], r"`speed` must be in \[0, 1\].*nan"),
        ([1.5], r"`speed` must be in \[0, 1\].*1.5"),
        ([-0.1], r"`speed` must be in \[0, 1\]"),
        ([0.5, 0.5], "`speed` must have one value a row.*2"),
        ([], "`speed` must have one value a row.*0"),
    ],
)
def test_an_impossible_speed_is_an_invalid_argument(
    signatures: Any, speed: list[float], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        signatures["with_speed"](
            text=texts_of(["good"]), speed=tf.constant(speed, tf.float32)
        )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("token_ids", [[1, 23]], r"`token_ids` must be in \[0, 23\).*1 23"),
        ("token_ids", [[-1, 2]], r"`token_ids` must be in \[0, 23\)"),
        ("token_type_ids", [[0, 2]], "`token_type_ids` must be in"),
        ("padding_mask", [[1, 2]], "`padding_mask` must be in"),
        ("padding_mask", [[0, 0]], "Every row must have a real token"),
        ("token_ids", [[1]], "must have one shape"),
    ],
)
def test_unsound_tokens_are_an_invalid_argument(
    signatures: Any, name: str, value: Any, message: str
) -> None:
    given = {
        "token_ids": [[1, 2]],
        "token_type_ids": [[0, 0]],
        "padding_mask": [[1, 1]],
    }
    given[name] = value
    tensors = {key: tf.constant(x, tf.int32) for key, x in given.items()}
    with pytest.raises(InvalidArgument, match=message):
        signatures["tokens"](**tensors)


def test_rows_longer_than_the_preprocessor_makes_are_refused(
    signatures: Any,
) -> None:
    given = {k: tf.constant(v) for k, v in tiny_inputs(2, 22).items()}
    with pytest.raises(InvalidArgument, match="at most 21 tokens long"):
        signatures["tokens"](**given)


def test_two_hundred_callers_get_what_they_would_get_alone(
    signatures: Any,
) -> None:
    """Of other lengths, speeds and numbers of rows, one of them refused."""
    rng = np.random.default_rng(3)

    def ask(place: int) -> Any:
        inputs = tiny_inputs(place % 4, 1 + place % 21, seed=place)
        given = {k: tf.constant(v) for k, v in inputs.items()}
        return signatures["tokens_with_speed"](
            **given, speed=tf.constant(speed_of[place])
        )

    speed_of = [rng.random(place % 4).astype("f") for place in range(200)]
    # As the warm-up file does: every pool has run before callers come.
    for length in (16, 21):
        whole = {k: np.ones([1, length], "int32") for k in tiny_inputs()}
        signatures["tokens_with_speed"](
            **{k: tf.constant(v) for k, v in whole.items()}, speed=speeds(1, 0)
        )
    speed_of[101][0] = 7.0
    with concurrent.futures.ThreadPoolExecutor(200) as threads:
        together = [threads.submit(ask, place) for place in range(200)]
    with pytest.raises(InvalidArgument, match="`speed` must be in"):
        together.pop(101).result()
    alone = [ask(place) for place in range(200) if place != 101]
    for future, expected in zip(together, alone, strict=True):
        for name, value in expected.items():
            assert_same(future.result()[name].numpy(), value.numpy())


def assert_same(one: np.ndarray, other: np.ndarray) -> None:
    """Numbers to within rounding, which depends on the size of a batch."""
    if one.dtype.kind == "f":
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    else:
        np.testing.assert_array_equal(one, other)
