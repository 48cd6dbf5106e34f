"""Both stages of training: settings, losses, and the epoch that is kept."""

import dataclasses
import math
import sys
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from ..distillation import DistillationLoss, SelfDistiller
from ..model import FastBertClassifier
from .optimization import adamw
from .progress import Progress
from .replicas import on_replicas
from .strategies import is_chief


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How long and how fast the two stages learn.

    Args:
        epochs: int, of stage 1; 0 keeps encoder and teacher as they are.
        distill_epochs: int, of stage 2; 0 leaves the students fresh.
        learning_rate: float, peak of stage 1.
        distill_learning_rate: float, peak of stage 2.
        warmup: float in [0, 1], share of each stage spent warming up.
        distillation_loss: str, see `DistillationLoss`.
        temperature: float, see `DistillationLoss`.

    Reference:
        Defaults: FastBERT (Liu et al., 2020), section 4.2.
    """

    epochs: int = 3
    distill_epochs: int = 5
    learning_rate: float = 2e-5
    distill_learning_rate: float = 2e-4
    warmup: float = 0.1
    distillation_loss: str = "kl"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.distill_epochs < 0:
            raise ValueError(
                "Epochs must be 0 or more. Received: "
                f"epochs={self.epochs}, distill_epochs={self.distill_epochs}."
            )
        if not 0 <= self.warmup <= 1:
            raise ValueError(
                "`warmup` must be a share in [0, 1]. Received: "
                f"warmup={self.warmup}. Pass 0.1 for 10 % of the steps."
            )
        for rate in (self.learning_rate, self.distill_learning_rate):
            if not (rate > 0 and math.isfinite(rate)):
                raise ValueError(
                    "Learning rates must be positive. Received: "
                    f"learning_rate={self.learning_rate}, "
                    f"distill_learning_rate={self.distill_learning_rate}."
                )
        DistillationLoss(self.distillation_loss, self.temperature)


def train_backbone(
    model: FastBertClassifier,
    train: tf.data.Dataset,
    dev: tf.data.Dataset | None,
    settings: TrainingSettings,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Stage 1: encoder and teacher learn the labels.

    The epoch with the best dev accuracy is kept. A model made under the scope
    of a `tf.distribute` strategy trains on all its replicas.

    Args:
        model: `FastBertClassifier`, trained in place.
        train, dev: from `load_dataset`; without `dev` the last epoch stays.
        settings: `TrainingSettings`.
        callbacks: further Keras callbacks, `log_callbacks` for example.

    Returns:
        Keras' history: a list a metric, one value an epoch.

    Raises:
        FloatingPointError: the loss is no longer finite; the model holds the
            best epoch until then.
    """
    if settings.epochs == 0:
        return {}
    num_steps = settings.epochs * steps_per_epoch(train)
    with model.distribute_strategy.scope():
        model.compile(
            adamw(settings.learning_rate, num_steps, settings.warmup),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            # Made here and not in the first trace, which would be done twice.
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        )
    callbacks = [*callbacks, *_keep_best(dev, "val_accuracy", "max")]
    return _fit(model, train, dev, settings.epochs, callbacks)


def distill_students(
    model: FastBertClassifier,
    train: tf.data.Dataset,
    dev: tf.data.Dataset | None,
    settings: TrainingSettings,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Stage 2: the students learn, encoder and teacher stay as they are.

    The epoch with the lowest dev loss is kept: accuracy alone would not see
    whether a student knows how sure it is.

    Args, Returns, Raises: as `train_backbone`; `train` may be unlabelled.
    """
    if settings.distill_epochs == 0:
        return {}
    num_steps = settings.distill_epochs * steps_per_epoch(train)
    with model.distribute_strategy.scope():
        distiller = SelfDistiller(
            model, settings.distillation_loss, settings.temperature
        )
        distiller.compile(
            adamw(settings.distill_learning_rate, num_steps, settings.warmup)
        )
    callbacks = [*callbacks, *_keep_best(dev, "val_loss", "min")]
    return _fit(distiller, train, dev, settings.distill_epochs, callbacks)


def steps_per_epoch(dataset: tf.data.Dataset) -> int:
    """Batches of `dataset`, which must be known: `load_dataset`'s are."""
    count = int(dataset.cardinality())
    if count < 1:
        raise ValueError(
            "The schedule needs the number of batches of the dataset. "
            f"Received: cardinality={count}. Use `load_dataset`, or "
            "`dataset.apply(tf.data.experimental.assert_cardinality(n))`."
        )
    return count


class KeepBest(keras.callbacks.EarlyStopping):
    """Puts the best epoch back when training ends, and never stops it.

    An epoch whose loss is not finite is not looked at: NaN logits answer
    class 0, which a dev set may reward.

    Args:
        monitor: str, name of the value compared.
        mode: str, `"min"` or `"max"`.
    """

    def __init__(self, monitor: str, mode: str) -> None:
        super().__init__(
            monitor=monitor,
            mode=mode,
            patience=sys.maxsize,
            restore_best_weights=True,
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if all(math.isfinite(logs[name]) for name in ("loss", "val_loss")):
            super().on_epoch_end(epoch, logs)


def _keep_best(
    dev: tf.data.Dataset | None, monitor: str, mode: str
) -> list[keras.callbacks.Callback]:
    return [] if dev is None else [KeepBest(monitor, mode)]


def _fit(
    model: keras.Model,
    train: tf.data.Dataset,
    dev: tf.data.Dataset | None,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> dict[str, Any]:
    shown = [Progress()] if is_chief(model.distribute_strategy) else []
    with on_replicas(model):
        history = model.fit(
            train,
            validation_data=dev,
            epochs=epochs,
            callbacks=[*shown, keras.callbacks.TerminateOnNaN(), *callbacks],
            shuffle=False,  # The dataset does, anew every epoch.
            verbose=0,
        ).history
    losses = history.get("loss", [])
    if len(losses) < epochs or not all(map(math.isfinite, losses)):
        raise FloatingPointError(
            f"The loss became NaN or infinite after {len(losses)} epochs. "
            "Expected finite losses. Lower the learning rate."
        )
    return history
