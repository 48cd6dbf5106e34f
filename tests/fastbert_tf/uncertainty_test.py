import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbert_tf import normalized_entropy

from .. import oracles

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
LOGITS = np.random.default_rng(0).normal(0, 3, (6, 5)).astype("float32")


def both(logits: np.ndarray) -> list[np.ndarray]:
    """The answer to an array and the answer to a tensor."""
    tensor = normalized_entropy(tf.constant(logits))
    assert tensor.dtype == tf.float32
    return [normalized_entropy(logits), tensor.numpy()]


@pytest.mark.parametrize("num_classes", [2, 5, 300])
def test_uncertainty_equals_the_oracle(num_classes: int) -> None:
    rng = np.random.default_rng(num_classes)
    logits = rng.normal(0, 3, (6, num_classes)).astype("float32")
    for result in both(logits):
        expected = oracles.normalized_entropy(logits)
        np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: type) -> None:
    logits = LOGITS.astype(dtype)
    expected = oracles.normalized_entropy(logits.astype("float64"))
    for result in both(logits):
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("size", [1e2, 1e4, 1e38, 3e38])
def test_saturated_logits_are_certain(size: float) -> None:
    logits = np.array([[size, -size, 0.0]], "float32")
    for result in both(logits):
        np.testing.assert_allclose(result, [0.0], atol=1e-30)


@pytest.mark.parametrize("num_classes", [2, 3, 7, 300])
@pytest.mark.parametrize("value", [0.0, -1e4, 1e30])
def test_uniform_logits_are_one_and_never_above(
    num_classes: int, value: float
) -> None:
    for result in both(np.full((1, num_classes), value, "float32")):
        assert result <= 1.0
        np.testing.assert_allclose(result, [1.0], atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_gives_nan_in_its_own_row_only(bad: float) -> None:
    logits = LOGITS.copy()
    logits[2, 1] = bad
    for result in both(logits):
        assert np.flatnonzero(np.isnan(result)).tolist() == [2]


def test_no_rows_give_no_uncertainty() -> None:
    for result in both(np.zeros((0, 5), "float32")):
        assert result.shape == (0,)


def test_leading_axes_are_kept() -> None:
    logits = LOGITS.reshape(2, 3, 5)
    for result in both(logits):
        assert result.shape == (2, 3)


def test_traced_with_unknown_batch_equals_eager() -> None:
    spec = [tf.TensorSpec([None, 5])]
    traced = tf.function(normalized_entropy, input_signature=spec)
    for rows in (0, 1, 6):
        expected = normalized_entropy(LOGITS[:rows])
        np.testing.assert_allclose(traced(LOGITS[:rows]), expected, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(FINITE, min_size=2, max_size=9))
def test_finite_logits_give_a_share_of_one(row: list[float]) -> None:
    for result in both(np.array([row], "float32")):
        assert 0.0 <= result[0] <= 1.0
