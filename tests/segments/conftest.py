"""Drivers of every kind, and texts for the classifiers."""

from typing import Any

import pytest

from fastbert_tf import FastBertClassifier, TextPreprocessor
from fastbert_tf.segments import (
    Driver,
    PooledDriver,
    SingleGraphDriver,
    TextClassifier,
)

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


@pytest.fixture(scope="session")
def several(
    models: list[FastBertClassifier], drivers: list[Driver]
) -> dict[str, Any]:
    """A driver of each kind, all of the model of four blocks."""
    segments = drivers[0].segments
    return {
        "driver": drivers[0],
        "pools of 4": PooledDriver(segments, 4),
        "pools of 1": PooledDriver(segments, 1),
        "pools of 99": PooledDriver(segments, 99),
        "single graph": SingleGraphDriver(models[0]),
    }
