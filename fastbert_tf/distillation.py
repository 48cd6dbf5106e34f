"""Stage 2: the students of a FastBERT learn from its teacher."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from .model import AllExits, FastBertClassifier, Inputs, build_optimizer

LOSSES = ("kl", "reverse_kl", "cross_entropy")


class DistillationLoss(keras.losses.Loss):
    """How far the students are from their target, summed over students.

    With p_t the teacher's and p_s a student's distribution, both softened by
    `temperature`:

    - `"kl"`: KL(p_t || p_s) = sum p_t log(p_t / p_s), what FastBERT's
      released code computes. Its gradient equals that of cross-entropy with
      soft targets.
    - `"reverse_kl"`: KL(p_s || p_t) = sum p_s log(p_s / p_t), equation 5 of
      the paper.
    - `"cross_entropy"`: -log p_s[label] on true labels, no temperature.

    The first two are multiplied by `temperature ** 2`, so that gradients
    keep their size (Hinton et al., 2015).

    Args:
        name: str, one of the three above.
        temperature: float, positive.

    Call arguments:
        y_true: teacher logits `[B, C]`, or int labels `[B]` for
            `"cross_entropy"`.
        y_pred: student logits `[B, L - 1, C]`.
    """

    def __init__(self, name: str = "kl", temperature: float = 1.0) -> None:
        if name not in LOSSES:
            raise ValueError(
                f"`loss` must be one of {list(LOSSES)}. Received: "
                f"loss={name!r}."
            )
        if not temperature > 0:
            raise ValueError(
                "`temperature` must be positive. Received: "
                f"temperature={temperature}. Pass 1 for the paper's loss."
            )
        super().__init__(name=name, dtype="float32")
        self.temperature = temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if self.name == "cross_entropy":
            return ops.sum(_label_losses(y_true, y_pred), axis=-1)  # [B]
        students = ops.log_softmax(y_pred / self.temperature)
        teacher = ops.log_softmax(y_true / self.temperature)[:, None]
        p, q = teacher, students
        if self.name == "reverse_kl":
            p, q = students, teacher
        divergence = ops.sum(ops.exp(p) * (p - q), axis=-1)  # [B, L - 1]
        return self.temperature**2 * ops.sum(divergence, axis=-1)  # [B]

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "temperature": self.temperature}


def _label_losses(labels: Any, students: Any) -> Any:
    """Cross-entropy of every student, `[B, L - 1]`."""
    num_students = students.shape[1]
    labels = ops.reshape(ops.cast(labels, "int32"), (-1, 1))
    labels = ops.repeat(labels, num_students, axis=1)
    return keras.losses.sparse_categorical_crossentropy(
        labels, students, from_logits=True
    )


class SelfDistiller(AllExits):
    """Trains the students of a FastBERT, and nothing else (stage 2).

    Encoder and teacher run without dropout and are not touched: the teacher
    answers bit for bit the same before and after. Labels are used by
    `loss="cross_entropy"` alone; otherwise the dataset may be unlabelled
    text (`load_dataset(..., labelled=False)`), and labels that are there
    only serve to report `exit_0_accuracy` ... `exit_11_accuracy`.

    Args:
        model: `FastBertClassifier` of two blocks or more, after stage 1.
        loss: str, `"kl"`, `"reverse_kl"` or `"cross_entropy"`; see
            `DistillationLoss` for which is which.
        temperature: float, softens both distributions of the KL losses.

    Example:

    ```python
    distiller = SelfDistiller(model)
    distiller.compile(keras.optimizers.AdamW(2e-4))
    distiller.fit(train, epochs=5)
    ```

    Reference:
        FastBERT (Liu et al., 2020), section 3.2.2. Released code leaves
        dropout on in the teacher while distilling; here it is off.
    """

    def __init__(
        self,
        model: FastBertClassifier,
        loss: str = "kl",
        temperature: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, **kwargs)
        if len(model.blocks) < 2:
            raise ValueError(
                "A model of one block has a teacher and no student. "
                f"Received: num_hidden_layers={len(model.blocks)}. Use two "
                "blocks or more."
            )
        self.distillation_loss = DistillationLoss(loss, temperature)
        self.exit_accuracies = [
            keras.metrics.SparseCategoricalAccuracy(name=f"exit_{i}_accuracy")
            for i in range(len(model.blocks))
        ]
        self.built = True

    def call(self, inputs: Inputs, training: bool = False) -> Any:
        hidden_states = self.model.block_outputs(inputs)
        logits = []
        for i, states in enumerate(hidden_states):
            is_student = i < len(hidden_states) - 1
            exit_classifier = self.model.exit_classifiers[i]
            logits.append(
                exit_classifier(
                    ops.stop_gradient(states),
                    inputs["padding_mask"],
                    training=training and is_student,
                )
            )
        return ops.stack(logits, axis=1)  # [B, L, C]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        target = ops.stop_gradient(y_pred[:, -1])
        if self.distillation_loss.name == "cross_entropy":
            if y is None:
                raise ValueError(
                    'loss="cross_entropy" trains on labels. Received: a '
                    'dataset without labels. Add labels, or use loss="kl".'
                )
            target = y
        return self.distillation_loss(target, y_pred[:, :-1], sample_weight)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        if y is None:
            return {"loss": self._loss_tracker.result()}
        for i, accuracy in enumerate(self.exit_accuracies):
            accuracy.update_state(y, y_pred[:, i])
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        results = {"loss": self._loss_tracker.result()}
        results |= {m.name: m.result() for m in self.exit_accuracies}
        students = list(results.values())[1:-1]
        results["student_accuracy"] = ops.mean(ops.stack(students))
        return results

    def compile(self, *args: Any, **kwargs: Any) -> None:
        with self._only_students_trainable():
            super().compile(*args, **kwargs)
            build_optimizer(self)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    def get_config(self) -> dict[str, Any]:
        loss = self.distillation_loss
        fields = {"loss": loss.name, "temperature": loss.temperature}
        return {**super().get_config(), **fields}

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        with self._only_students_trainable():
            return super().fit(*args, **kwargs)

    def train_on_batch(self, *args: Any, **kwargs: Any) -> Any:
        with self._only_students_trainable():
            return super().train_on_batch(*args, **kwargs)

    @contextlib.contextmanager
    def _only_students_trainable(self) -> Iterator[None]:
        """Freezes all but the students; afterwards all is as it was.

        A later `model.fit` must find the model as stage 1 left it.
        """
        *students, teacher = self.model.exit_classifiers
        parts = [self.model.embeddings, *self.model.blocks, teacher]
        before = [(w, w.trainable) for w in self.model.weights]
        for part in (*parts, *students):
            part.trainable = part in students
        try:
            yield
        finally:
            for part in (*parts, *students):
                part.trainable = part not in students
            for weight, trainable in before:
                weight.trainable = trainable
