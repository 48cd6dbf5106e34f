import keras
import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import FastBertClassifier
from fastbert_tf.training.optimization import LinearWarmupDecay, adamw
from tests.tiny_models import random_model, values


def expected(step: int, peak: float, num_steps: int, warmup: float) -> float:
    """The line through (0, 0), (warmup, peak) and (1, 0), away from 0."""
    done = (step + 1) / (num_steps + 1)
    if done < warmup:
        return peak * done / warmup
    return peak * (1 - done) / (1 - warmup) if warmup < 1 else peak * done


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("num_steps", [1, 2, 40])
def test_schedule_equals_the_oracle(num_steps: int, warmup: float) -> None:
    schedule = LinearWarmupDecay(0.3, num_steps, warmup)
    rates = [float(schedule(step)) for step in range(num_steps)]
    expected_rates = [
        expected(step, 0.3, num_steps, warmup) for step in range(num_steps)
    ]
    np.testing.assert_allclose(rates, expected_rates, rtol=1e-5)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
def test_every_step_of_the_run_learns(warmup: float) -> None:
    schedule = LinearWarmupDecay(1.0, 7, warmup)
    assert all(0 < float(schedule(step)) <= 1 for step in range(7))


def test_the_learning_rate_stays_at_zero_after_the_run() -> None:
    schedule = LinearWarmupDecay(1.0, 7)
    assert [float(schedule(step)) for step in (7, 8, 1000)] == [0.0] * 3


def test_traced_schedule_equals_eager() -> None:
    schedule = LinearWarmupDecay(1.0, 7)
    traced = tf.function(schedule)
    for step in (0, 3, 9):
        assert float(traced(tf.constant(step))) == float(schedule(step))


def test_schedule_round_trip_keeps_its_settings() -> None:
    schedule = LinearWarmupDecay(0.5, 9, 0.2)
    copy = LinearWarmupDecay.from_config(schedule.get_config())
    assert copy.get_config() == schedule.get_config()


@pytest.mark.parametrize(
    ("peak", "num_steps", "warmup"),
    [(0.0, 9, 0.1), (float("nan"), 9, 0.1), (1.0, 0, 0.1), (1.0, 9, 1.1)],
)
def test_an_impossible_schedule_is_refused(
    peak: float, num_steps: int, warmup: float
) -> None:
    with pytest.raises(ValueError, match="A schedule needs peak > 0"):
        LinearWarmupDecay(peak, num_steps, warmup)


@pytest.fixture(scope="module")
def shrunk() -> tuple[FastBertClassifier, dict[str, np.ndarray]]:
    """A model after one step without gradient, and its weights before."""
    model = random_model(num_hidden_layers=2)
    for student in model.exit_classifiers:
        student.trainable = True
    before = values(model.weights)
    optimizer = adamw(0.5, num_steps=1, warmup=0.0, weight_decay=0.1)
    weights = model.trainable_weights
    optimizer.apply(
        [keras.ops.zeros(weight.shape) for weight in weights], weights
    )
    return model, before


def is_excluded(path: str) -> bool:
    return path.endswith(("bias", "gamma", "beta"))


def test_weight_decay_leaves_biases_and_norms_alone(
    shrunk: tuple[FastBertClassifier, dict[str, np.ndarray]],
) -> None:
    model, before = shrunk
    for weight in model.weights:
        if is_excluded(weight.path):
            np.testing.assert_array_equal(weight, before[weight.path])


def test_weight_decay_shrinks_all_else_by_its_share(
    shrunk: tuple[FastBertClassifier, dict[str, np.ndarray]],
) -> None:
    model, before = shrunk
    share = 1 - 0.25 * 0.1  # Half of the peak, in the middle of one step.
    for weight in model.weights:
        if not is_excluded(weight.path):
            expected = share * before[weight.path]
            np.testing.assert_allclose(weight, expected, rtol=1e-5)
