import numpy as np
import pytest

from fastbert_tf import ExitResult


@pytest.fixture
def result() -> ExitResult:
    logits = np.array(
        [[0.0, 2.0, 1.0], [1.0, np.nan, 0.0], [5.0, 0.0, 0.0]], "float32"
    )
    uncertainty = np.array([0.7, np.nan, 0.1], "float32")
    return ExitResult(logits, uncertainty, np.array([2, 3, 0], "int32"))


def test_the_label_is_the_likeliest_class(result: ExitResult) -> None:
    assert result.labels.tolist() == [1, -1, 0]
    assert result.labels.dtype == np.int32


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_has_no_answer(bad: float) -> None:
    logits = np.array([[1.0, bad], [1.0, 0.0]], "float32")
    zeros = np.zeros(2)
    result = ExitResult(logits, zeros, zeros.astype("int32"))
    assert result.is_valid.tolist() == [False, True]
    assert result.labels.tolist() == [-1, 0]
    assert np.isnan(result.probabilities[0]).all()


def test_probabilities_are_the_softmax(result: ExitResult) -> None:
    exponentials = np.exp([0.0, 2.0, 1.0])
    expected = exponentials / exponentials.sum()
    np.testing.assert_allclose(result.probabilities[0], expected, rtol=1e-6)
    assert result.probabilities.dtype == np.float32


def test_saturated_logits_have_finite_probabilities() -> None:
    logits = np.array([[3e38, -3e38]], "float32")
    result = ExitResult(logits, np.zeros(1), np.zeros(1, "int32"))
    assert result.probabilities.tolist() == [[1.0, 0.0]]


def test_take_reorders_rows(result: ExitResult) -> None:
    assert result.take(np.array([2, 0])).exit_index.tolist() == [0, 2]


def test_concatenate_keeps_rows_in_order(result: ExitResult) -> None:
    both = ExitResult.concatenate([result, result.take(np.array([1]))])
    assert both.exit_index.tolist() == [2, 3, 0, 3]
    assert len(both) == 4


def test_mean_depth_counts_blocks(result: ExitResult) -> None:
    assert result.mean_depth == pytest.approx((3 + 4 + 1) / 3)


def test_no_rows_have_no_depth(result: ExitResult) -> None:
    assert np.isnan(result.take(np.array([], int)).mean_depth)


def test_histogram_has_a_place_for_every_exit(result: ExitResult) -> None:
    assert result.exit_histogram(5).tolist() == [1, 0, 1, 1, 0]
