"""Two replicas against one device: processes of their own, as devices of a
process are chosen once."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from ..tiny_models import random_model
from ..tolerances import tolerance
from ..workers import run_workers
from .replicated_training import train_both_stages

PROGRAM = ["-m", "tests.fastbert_tf.replicated_training"]


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    """What one device learns."""
    keras.utils.set_random_seed(7)
    return train_both_stages(tf.distribute.get_strategy())


def check_equal(path: pathlib.Path, expected: dict[str, np.ndarray]) -> None:
    received = np.load(path)
    assert set(received.files) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(received[name], value, **tolerance())


def test_two_mirrored_devices_learn_what_one_learns(
    expected: dict[str, np.ndarray], tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "mirrored.npz"
    (done,) = run_workers([[*PROGRAM, "mirrored", str(path)]], tmp_path)
    assert done.returncode == 0, done.stdout
    check_equal(path, expected)


@pytest.mark.slow
def test_two_workers_learn_what_one_learns(
    expected: dict[str, np.ndarray], tmp_path: pathlib.Path
) -> None:
    paths = [tmp_path / f"worker_{i}.npz" for i in range(2)]
    commands = [[*PROGRAM, "multi_worker", str(path)] for path in paths]
    for done in run_workers(commands, tmp_path):
        assert done.returncode == 0, done.stdout
    for path in paths:
        check_equal(path, expected)


def test_the_weights_moved_and_the_loss_fell(
    expected: dict[str, np.ndarray],
) -> None:
    fresh = random_model(3, num_hidden_layers=2)
    kernel = fresh.blocks[0].intermediate.kernel
    assert np.abs(expected[kernel.path] - kernel.numpy()).max() > 1e-3
    assert np.diff(expected["stage 1: loss"]) < 0
    assert np.diff(expected["stage 2: loss"]) < 0
