"""Fixtures of the whole suite; what is costly to build is built once."""

import random

import keras
import numpy as np
import pytest

from fastbert_tf import FastBertClassifier
from fastbert_tf.segments import Driver, build_segments

from .tiny_models import random_model


@pytest.fixture(scope="session", autouse=True)
def tensorflow_seed() -> None:
    """TensorFlow's own seed is set once a process.

    Setting it forgets every compiled kernel: graphs that tests share would
    be optimized and compiled anew in each of them, for seconds.
    """
    keras.utils.set_random_seed(7)


@pytest.fixture(autouse=True)
def seed(tensorflow_seed: None) -> int:
    """Every test draws the same numbers from Python and NumPy.

    Keras' layers take theirs from Python: new weights and dropout too are
    the same. A test of random operations of TensorFlow sets its own seed.
    """
    random.seed(7)
    np.random.seed(7)
    return 7


@pytest.fixture(scope="session")
def models() -> list[FastBertClassifier]:
    """Random models of four and of two blocks, to be left as they are."""
    return [random_model(36), random_model(5, num_hidden_layers=2)]


@pytest.fixture(scope="session")
def drivers(models: list[FastBertClassifier]) -> list[Driver]:
    """A driver of each of `models`."""
    return [Driver(build_segments(model)) for model in models]
