from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import FastBertClassifier, FastBertConfig, SelfDistiller
from fastbert_tf.distillation import LOSSES, DistillationLoss

from .. import oracles
from ..tiny_models import (
    changed,
    random_model,
    tiny_config,
    toy_dataset,
    toy_rows,
    values,
)
from ..tolerances import tolerance

RNG = np.random.default_rng(2)
TEACHER = RNG.normal(0, 2, (6, 5)).astype("float32")
STUDENTS = RNG.normal(0, 2, (6, 3, 5)).astype("float32")
LABELS = np.array([0, 4, 2, 2, 1, 3], "int32")


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    return float(sum(a * np.log(a / b) for a, b in zip(p, q, strict=True)))


def expected_loss(name: str, temperature: float) -> np.ndarray:
    """`[B]`, one row and one student at a time, in float64."""
    losses = np.zeros(len(TEACHER))
    for row, student in np.ndindex(*STUDENTS.shape[:2]):
        logits = STUDENTS[row, student].astype("float64")
        if name == "cross_entropy":
            losses[row] -= np.log(oracles.softmax(logits)[LABELS[row]])
            continue
        p = oracles.softmax(TEACHER[row].astype("float64") / temperature)
        q = oracles.softmax(logits / temperature)
        p, q = (p, q) if name == "kl" else (q, p)
        losses[row] += temperature**2 * divergence(p, q)
    return losses


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_equals_the_oracle(name: str, temperature: float) -> None:
    target = LABELS if name == "cross_entropy" else TEACHER
    losses = DistillationLoss(name, temperature).call(target, STUDENTS)
    expected = expected_loss(name, temperature)
    np.testing.assert_allclose(losses, expected, **tolerance())


@pytest.mark.parametrize("name", LOSSES)
def test_loss_of_a_batch_is_the_mean_of_its_rows(name: str) -> None:
    target = LABELS if name == "cross_entropy" else TEACHER
    loss = DistillationLoss(name)(target, STUDENTS)
    np.testing.assert_allclose(loss, expected_loss(name, 1.0).mean(), rtol=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_has_the_gradient_of_cross_entropy_with_soft_targets(
    temperature: float,
) -> None:
    students = tf.constant(STUDENTS)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(students)
        loss = DistillationLoss("kl", temperature)(TEACHER, students)
        soft = tf.nn.softmax(TEACHER / temperature)[:, None]
        log_students = tf.nn.log_softmax(students / temperature)
        cross_entropy = -tf.reduce_sum(soft * log_students) / 6
    np.testing.assert_allclose(
        tape.gradient(loss, students),
        temperature**2 * tape.gradient(cross_entropy, students),
        **tolerance(),
    )


@pytest.mark.parametrize("name", ["kl", "reverse_kl"])
def test_a_student_like_its_teacher_has_no_loss(name: str) -> None:
    students = np.repeat(TEACHER[:, None], 3, axis=1)
    losses = DistillationLoss(name).call(TEACHER, students)
    np.testing.assert_allclose(losses, np.zeros(6), atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_saturated_logits_have_a_finite_loss(name: str) -> None:
    target = LABELS if name == "cross_entropy" else TEACHER * 1e3
    losses = DistillationLoss(name).call(target, STUDENTS * 1e3)
    assert np.isfinite(losses).all()


def test_loss_round_trip_keeps_its_settings() -> None:
    loss = DistillationLoss("reverse_kl", 3.0)
    copy = DistillationLoss.from_config(loss.get_config())
    assert (copy.name, copy.temperature) == ("reverse_kl", 3.0)


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one of .*: loss='mse'"):
        DistillationLoss("mse")


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_an_impossible_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="`temperature` must be positive"):
        DistillationLoss("kl", temperature)


def test_a_single_block_has_no_student_to_train() -> None:
    model = FastBertClassifier(tiny_config(num_hidden_layers=1))
    with pytest.raises(ValueError, match="num_hidden_layers=1"):
        SelfDistiller(model)


def small_config() -> FastBertConfig:
    """Two students, without chance: the same data gives the same step."""
    return tiny_config(
        num_hidden_layers=3,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def distiller(loss: str = "kl", seed: int = 1, **kwargs: Any) -> SelfDistiller:
    """A distiller that runs eagerly, ready for a step."""
    model = random_model(seed, **small_config().to_dict())
    distiller = SelfDistiller(model, loss)
    distiller.compile(keras.optimizers.AdamW(1e-2), run_eagerly=True, **kwargs)
    return distiller


def step(one: SelfDistiller, labels: np.ndarray | None) -> dict[str, Any]:
    """The students' weights after a step on 8 rows."""
    one.train_on_batch(toy_rows(8)[0], labels)
    return values(one.model.exit_classifiers[0].weights)


def test_a_step_trains_every_student_and_nothing_else() -> None:
    one = distiller()
    model = one.model
    before, logits = values(model.weights), model(toy_rows(8)[0]).numpy()
    step(one, None)
    moved = changed(before, model)
    students = {w.path for s in model.exit_classifiers[:2] for w in s.weights}
    # The softmax does not feel a shift of all scores of a query.
    assert students - moved <= {p for p in students if "key/bias" in p}
    assert moved <= students
    assert model(toy_rows(8)[0]).numpy().tobytes() == logits.tobytes()


def test_labels_do_not_matter_to_a_step_of_kl() -> None:
    labels = toy_rows(8)[1]
    one, other = (
        step(distiller(), some) for some in (labels, labels[::-1].copy())
    )
    for path, value in one.items():
        np.testing.assert_array_equal(value, other[path])


def losses(name: str, *labels: np.ndarray | None) -> list[float]:
    """What a distiller computes for the same logits and other labels."""
    model = FastBertClassifier(tiny_config(num_hidden_layers=2))
    one = SelfDistiller(model, name)
    logits = tf.constant(np.concatenate([STUDENTS, TEACHER[:, None]], axis=1))
    return [float(one.compute_loss(y=some, y_pred=logits)) for some in labels]


@pytest.mark.parametrize("name", ["kl", "reverse_kl"])
def test_labels_do_not_matter_to_the_divergences(name: str) -> None:
    one, *others = losses(name, LABELS, LABELS[::-1].copy(), None)
    assert others == [one, one]


def test_labels_matter_to_cross_entropy() -> None:
    one, other = losses("cross_entropy", LABELS, LABELS[::-1].copy())
    assert one != other


def test_cross_entropy_without_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="a dataset without labels"):
        losses("cross_entropy", None)


def test_unlabelled_rows_report_the_loss_alone() -> None:
    dataset = toy_dataset(8).map(lambda inputs, label: inputs)
    history = distiller().fit(dataset, verbose=0, shuffle=False).history
    assert list(history) == ["loss"]


def test_labelled_rows_report_the_accuracy_of_every_exit() -> None:
    one, dataset = distiller(), toy_dataset(16)
    inputs, labels = toy_rows(16)
    one.evaluate(dataset, verbose=0)  # Its counts must not be added to.
    results = one.evaluate(dataset, verbose=0, return_dict=True)
    best = np.asarray(one.model.exit_logits(inputs)).argmax(-1)
    expected = (best == labels).mean(axis=1)
    reported = [results[f"exit_{i}_accuracy"] for i in range(3)]
    np.testing.assert_allclose(reported, expected, rtol=1e-6)
    students = results["student_accuracy"]
    assert students == pytest.approx(expected[:2].mean())


def test_afterwards_the_model_is_trainable_as_before() -> None:
    one = distiller()
    fresh = FastBertClassifier(small_config())
    expected = [weight.trainable for weight in fresh.weights]
    step(one, None)
    assert [w.trainable for w in one.model.weights] == expected


def test_stage_one_after_stage_two_trains_the_backbone_again() -> None:
    one = distiller()
    step(one, None)
    before = values(one.model.weights)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    one.model.compile(keras.optimizers.AdamW(1e-2), loss, run_eagerly=True)
    one.model.train_on_batch(*toy_rows(8))
    moved = changed(before, one.model)
    assert "block_0/intermediate/kernel" in moved
    assert not any(path.startswith("exit_classifier_0") for path in moved)


def test_the_teacher_distils_without_dropout() -> None:
    model = random_model(hidden_dropout_prob=0.5, num_hidden_layers=2)
    inputs = toy_rows(8)[0]
    logits = SelfDistiller(model)(inputs, training=True)
    np.testing.assert_array_equal(logits[:, -1], model(inputs))


def test_mixed_bfloat16_distils_a_step() -> None:
    config = tiny_config(num_hidden_layers=2)
    model = FastBertClassifier(config, dtype="mixed_bfloat16")
    one = SelfDistiller(model)
    one.compile(keras.optimizers.AdamW(1e-2), run_eagerly=True)
    before = values(model.weights)
    assert np.isfinite(one.train_on_batch(toy_rows(8)[0]))
    assert changed(before, model)


@pytest.mark.slow
def test_xla_distils_a_step() -> None:
    model = random_model(num_hidden_layers=2)
    one = SelfDistiller(model)
    one.compile(keras.optimizers.AdamW(1e-2), jit_compile=True)
    history = one.fit(toy_dataset(8), verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"]).all()
