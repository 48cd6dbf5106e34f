"""Texts for the classifiers of this folder."""

import pytest

from fastbert_tf import TextPreprocessor
from fastbert_tf.segments import Driver, PooledDriver, TextClassifier

from ..tiny_texts import LABELS, write_vocabulary


@pytest.fixture(scope="session")
def preprocessor(
    tmp_path_factory: pytest.TempPathFactory,
) -> TextPreprocessor:
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    write_vocabulary(path)
    return TextPreprocessor.from_pretrained(path, sequence_length=9)


@pytest.fixture(scope="session")
def classifier(
    drivers: list[Driver], preprocessor: TextPreprocessor
) -> TextClassifier:
    """Of four blocks, in calls of two rows."""
    driver = PooledDriver(drivers[0].segments, 2)
    return TextClassifier(driver, preprocessor, LABELS, rows_per_call=2)
