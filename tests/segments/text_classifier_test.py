import pathlib

import numpy as np
import pytest

from fastbert_tf import ExitResult, TextPreprocessor
from fastbert_tf.segments import Driver, PooledDriver
from fastbert_tf.segments.text_classifier import predict_texts
from tests.tiny_texts import PAIRS, TEXTS, write_vocabulary
from tests.tolerances import tolerance


@pytest.fixture(scope="module")
def preprocessor(
    tmp_path_factory: pytest.TempPathFactory,
) -> TextPreprocessor:
    path: pathlib.Path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    write_vocabulary(path)
    return TextPreprocessor.from_pretrained(path, sequence_length=9)


def assert_same(one: ExitResult, other: ExitResult) -> None:
    np.testing.assert_array_equal(one.exit_index, other.exit_index)
    np.testing.assert_allclose(one.logits, other.logits, **tolerance())


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_answers_are_those_of_one_text_at_a_time_in_order(
    drivers: list[Driver], preprocessor: TextPreprocessor, batch_size: int
) -> None:
    pooled = PooledDriver(drivers[0].segments, batch_size)
    prediction = predict_texts(pooled, preprocessor, TEXTS, speed=0.5)
    alone = [drivers[0].predict(preprocessor([text]), 0.5) for text in TEXTS]
    assert_same(prediction.result, ExitResult.concatenate(alone))


def test_pairs_are_read_together(
    drivers: list[Driver], preprocessor: TextPreprocessor
) -> None:
    prediction = predict_texts(drivers[0], preprocessor, TEXTS, PAIRS)
    alone = [
        drivers[0].predict(preprocessor([text], [pair]), 0.5)
        for text, pair in zip(TEXTS, PAIRS, strict=True)
    ]
    assert_same(prediction.result, ExitResult.concatenate(alone))


def test_truncated_rows_are_flagged_in_the_order_given(
    drivers: list[Driver], preprocessor: TextPreprocessor
) -> None:
    prediction = predict_texts(drivers[0], preprocessor, TEXTS)
    expected = [len(text.split()) > 7 for text in TEXTS]
    assert prediction.truncated.tolist() == expected
    assert any(expected)


def test_no_texts_give_no_answers(
    drivers: list[Driver], preprocessor: TextPreprocessor
) -> None:
    prediction = predict_texts(drivers[0], preprocessor, [])
    assert len(prediction.result) == 0
    assert prediction.truncated.shape == (0,)
