"""Fixtures of the whole suite; what is costly to build is built once."""

import keras
import pytest

from fastbert_tf import FastBertClassifier
from fastbert_tf.segments import Driver, build_segments

from .tiny_models import random_model


@pytest.fixture(autouse=True)
def seed() -> int:
    """Every test starts from the same random state."""
    keras.utils.set_random_seed(7)
    return 7


@pytest.fixture(scope="session")
def models() -> list[FastBertClassifier]:
    """Random models of four and of two blocks, to be left as they are."""
    return [random_model(36), random_model(5, num_hidden_layers=2)]


@pytest.fixture(scope="session")
def drivers(models: list[FastBertClassifier]) -> list[Driver]:
    """A driver of each of `models`."""
    return [Driver(build_segments(model)) for model in models]
