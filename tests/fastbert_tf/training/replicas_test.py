"""Two replicas learn what one device learns.

They are processes of their own: the devices of a process are chosen once.
"""

import pathlib
from collections.abc import Mapping

import keras
import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import FastBertClassifier
from fastbert_tf.training.replicas import on_replicas
from tests.fastbert_tf.training.replicated_training import train_both_stages
from tests.tiny_models import random_model, tiny_config, toy_dataset, toy_rows
from tests.tolerances import tolerance
from tests.workers import run_workers

PROGRAM = ["-m", "tests.fastbert_tf.training.replicated_training"]


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    """What one device learns."""
    keras.utils.set_random_seed(7)
    return train_both_stages(tf.distribute.get_strategy())


def check_equal(
    received: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> None:
    assert set(received) == set(expected)
    for name, value in expected.items():
        # No answer depends on these: their gradient is what rounding leaves
        # of zero, which AdamW makes steps of.
        if not name.endswith("key/bias"):
            np.testing.assert_allclose(
                received[name], value, **tolerance(), err_msg=name
            )


@pytest.mark.slow
def test_a_strategy_of_one_device_learns_what_is_learnt_without(
    expected: dict[str, np.ndarray],
) -> None:
    keras.utils.set_random_seed(7)
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    check_equal(train_both_stages(strategy), expected)


@pytest.mark.slow
def test_two_mirrored_devices_learn_what_one_learns(
    expected: dict[str, np.ndarray], tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "mirrored.npz"
    (done,) = run_workers([[*PROGRAM, "mirrored", str(path)]], tmp_path)
    assert done.returncode == 0, done.stdout
    check_equal(np.load(path), expected)


@pytest.mark.slow
def test_two_workers_learn_what_one_learns(
    expected: dict[str, np.ndarray], tmp_path: pathlib.Path
) -> None:
    paths = [tmp_path / f"worker_{i}.npz" for i in range(2)]
    commands = [[*PROGRAM, "multi_worker", str(path)] for path in paths]
    for done in run_workers(commands, tmp_path):
        assert done.returncode == 0, done.stdout
    for path in paths:
        check_equal(np.load(path), expected)


@pytest.mark.slow
def test_the_weights_moved_and_the_loss_fell(
    expected: dict[str, np.ndarray],
) -> None:
    fresh = random_model(3, num_hidden_layers=2)
    kernel = fresh.blocks[0].intermediate.kernel
    assert np.abs(expected[kernel.path] - kernel.numpy()).max() > 1e-3
    assert np.diff(expected["stage 1: loss"]) < 0
    assert np.diff(expected["stage 2: loss"]) < 0


def mirrored_model(**changes: int) -> FastBertClassifier:
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = FastBertClassifier(tiny_config(num_hidden_layers=2))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, **changes)
    return model


def test_arrays_are_refused_under_a_strategy() -> None:
    model = mirrored_model()
    with on_replicas(model):
        with pytest.raises(TypeError, match=r"`tf.data.Dataset` .*: dict"):
            model.evaluate(*toy_rows(4), verbose=0)


def test_a_model_is_plain_keras_again_afterwards() -> None:
    model = mirrored_model()
    with on_replicas(model):
        assert type(model) is not FastBertClassifier
    assert type(model) is FastBertClassifier


def test_many_steps_at_once_are_refused_under_a_strategy() -> None:
    model = mirrored_model(steps_per_execution=2)
    with on_replicas(model):
        with pytest.raises(ValueError, match="steps_per_execution=2"):
            model.evaluate(toy_dataset(4), verbose=0)
