"""Both stages on a problem a tiny model can learn, each run once."""

from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from fastbert_tf import FastBertClassifier
from fastbert_tf.exit_classifier import ExitClassifier
from fastbert_tf.training.stages import (
    TrainingSettings,
    distill_students,
    steps_per_epoch,
    train_backbone,
)
from tests.tiny_models import (
    changed,
    tiny_config,
    toy_dataset,
    toy_rows,
    values,
)

SETTINGS = TrainingSettings(
    epochs=30,
    distill_epochs=20,
    learning_rate=1e-2,
    distill_learning_rate=1e-2,
)


class TraceCounter(keras.callbacks.Callback):
    """How often the exit classifiers were called, after every epoch.

    A step that is traced calls them while it is traced and never again.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.num_calls, self.after_epochs = 0, []
        call = ExitClassifier.call

        def counted(layer: ExitClassifier, *args: Any, **kwargs: Any) -> Any:
            self.num_calls += 1
            return call(layer, *args, **kwargs)

        patch.setattr(ExitClassifier, "call", counted)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.after_epochs.append(self.num_calls)


class Trained(NamedTuple):
    """A model after both stages, and what was seen on the way."""

    model: FastBertClassifier
    fresh: dict[str, np.ndarray]
    after_stage1: dict[str, np.ndarray]
    teacher_logits: np.ndarray
    history1: dict[str, list[float]]
    history2: dict[str, list[float]]
    num_calls: list[int]


@pytest.fixture(scope="module")
def trained() -> Trained:
    keras.utils.set_random_seed(3)
    config = tiny_config(
        num_hidden_layers=2,
        initializer_range=0.2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = FastBertClassifier(config)
    train, dev = toy_dataset(), toy_dataset(20, seed=1)
    fresh = values(model.weights)
    with pytest.MonkeyPatch.context() as patch:
        counter = TraceCounter(patch)
        history1 = train_backbone(model, train, dev, SETTINGS, [counter])
    after_stage1 = values(model.weights)
    logits = model(toy_rows()[0]).numpy()
    history2 = distill_students(model, train, dev, SETTINGS)
    return Trained(
        model,
        fresh,
        after_stage1,
        logits,
        history1,
        history2,
        counter.after_epochs,
    )


def accuracies(model: FastBertClassifier) -> list[float]:
    """Of every exit on dev."""
    inputs, labels = toy_rows(20, seed=1)
    best = np.asarray(model.exit_logits(inputs)).argmax(-1)
    return (best == labels).mean(axis=1).tolist()


def test_both_stages_learn_the_problem(trained: Trained) -> None:
    student, teacher = accuracies(trained.model)
    assert teacher > 0.8  # Chance is 0.2.
    assert student > 0.8


def test_batches_of_one_shape_are_traced_in_the_first_epoch_only(
    trained: Trained,
) -> None:
    assert len(trained.num_calls) == SETTINGS.epochs
    assert len(set(trained.num_calls)) == 1


def test_stage_one_trains_all_but_the_students(trained: Trained) -> None:
    moved = {
        path
        for path, value in trained.fresh.items()
        if np.any(value != trained.after_stage1[path])
    }
    others = {p for p in trained.fresh if not p.startswith("exit_classifier_0")}
    assert moved == others


def test_stage_two_trains_every_weight_of_the_students_alone(
    trained: Trained,
) -> None:
    student = trained.model.exit_classifiers[0]
    moved = changed(trained.after_stage1, trained.model)
    assert moved == {weight.path for weight in student.weights}


def test_stage_two_leaves_the_teachers_answers_bit_identical(
    trained: Trained,
) -> None:
    logits = trained.model(toy_rows()[0]).numpy()
    assert logits.tobytes() == trained.teacher_logits.tobytes()


def test_stage_two_reports_the_accuracy_of_every_exit(
    trained: Trained,
) -> None:
    reported = {name for name in trained.history2 if "exit_" in name}
    names = {"exit_0_accuracy", "exit_1_accuracy"}
    assert reported == names | {f"val_{name}" for name in names}


def test_stage_one_keeps_the_best_dev_epoch(trained: Trained) -> None:
    best = max(trained.history1["val_accuracy"])
    assert accuracies(trained.model)[-1] == pytest.approx(best)


def test_stage_two_keeps_the_epoch_of_lowest_dev_loss(
    trained: Trained,
) -> None:
    lowest = int(np.argmin(trained.history2["val_loss"]))
    expected = trained.history2["val_exit_0_accuracy"][lowest]
    assert accuracies(trained.model)[0] == pytest.approx(expected)


class Scripted(keras.callbacks.Callback):
    """Writes dev results that a test wants, and keeps each epoch's weights."""

    def __init__(self, name: str, results: list[float]) -> None:
        super().__init__()
        self.name, self.results, self.epochs = name, results, []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs[self.name] = self.results[epoch]
        self.epochs.append(values(self.model.weights))


@pytest.fixture
def eagerly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs steps without tracing them: a short run is quicker so."""
    compile_ = keras.Model.compile

    def compile_eagerly(self: keras.Model, *args: Any, **kwargs: Any) -> None:
        compile_(self, *args, **kwargs, run_eagerly=True)

    monkeypatch.setattr(keras.Model, "compile", compile_eagerly)


def run(stage: Any, callback: keras.callbacks.Callback, **changes: Any) -> Any:
    """A model after three epochs of one step."""
    model = FastBertClassifier(tiny_config(num_hidden_layers=2))
    rates = {"learning_rate": 1e-2, "distill_learning_rate": 1e-2, **changes}
    settings = TrainingSettings(epochs=3, distill_epochs=3, **rates)
    data = toy_dataset(8)
    stage(model, data, data, settings, [callback])
    return model


@pytest.mark.parametrize(
    ("stage", "name", "results"),
    [
        (train_backbone, "val_accuracy", [0.2, 0.9, 0.4]),
        (distill_students, "val_loss", [0.9, 0.2, 0.4]),
    ],
)
@pytest.mark.usefixtures("eagerly")
def test_the_best_epoch_comes_back_bit_for_bit(
    stage: Any, name: str, results: list[float]
) -> None:
    script = Scripted(name, results)
    model = run(stage, script)
    _, best, last = script.epochs
    assert changed(last, model)
    assert not changed(best, model)


class Spoiler(keras.callbacks.Callback):
    """Makes a weight NaN when the second epoch begins."""

    def __init__(self) -> None:
        super().__init__()
        self.before = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            self.before = values(self.model.weights)
            weight = self.model.trainable_weights[-1]
            weight.assign(weight * np.nan)


@pytest.mark.parametrize("stage", [train_backbone, distill_students])
@pytest.mark.usefixtures("eagerly")
def test_a_loss_of_nan_stops_the_run_and_keeps_the_best_epoch(
    stage: Any,
) -> None:
    spoiler = Spoiler()
    with pytest.raises(FloatingPointError, match="loss became NaN"):
        run(stage, spoiler)
    assert not changed(spoiler.before, spoiler.model)


@pytest.mark.usefixtures("eagerly")
def test_an_all_nan_epoch_is_never_the_best() -> None:
    """NaN logits answer class 0: all right where dev holds nothing else."""
    model = FastBertClassifier(tiny_config(num_hidden_layers=2))
    teacher = model.exit_classifiers[-1].logits_dense
    teacher.bias.assign([-9.0, 9.0, 0.0, 0.0, 0.0])
    settings = TrainingSettings(epochs=3, learning_rate=1e-5)
    data = toy_dataset(8)
    zeros = data.map(lambda inputs, label: (inputs, 0 * label))
    spoiler = Spoiler()
    with pytest.raises(FloatingPointError):
        train_backbone(model, data, zeros, settings, [spoiler])
    assert not changed(spoiler.before, model)


def test_no_epochs_leave_the_model_as_it_is() -> None:
    model = FastBertClassifier(tiny_config(num_hidden_layers=2))
    settings = TrainingSettings(epochs=0, distill_epochs=0)
    before = values(model.weights)
    assert train_backbone(model, toy_dataset(8), None, settings) == {}
    assert distill_students(model, toy_dataset(8), None, settings) == {}
    assert not changed(before, model)


def test_batches_of_unknown_number_are_refused() -> None:
    endless = toy_dataset(8).filter(lambda inputs, label: True)
    with pytest.raises(ValueError, match="the number of batches"):
        steps_per_epoch(endless)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": -1}, "epochs=-1"),
        ({"distill_epochs": -2}, "distill_epochs=-2"),
        ({"warmup": 1.5}, "warmup=1.5"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"distill_learning_rate": float("nan")}, "learning_rate=nan"),
        ({"distillation_loss": "mse"}, "loss='mse'"),
        ({"temperature": 0.0}, "temperature=0.0"),
    ],
)
def test_impossible_settings_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingSettings(**changes)
