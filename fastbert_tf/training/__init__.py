"""Both stages of training, and what they need around `model.fit`."""

from .stages import TrainingSettings, distill_students, train_backbone

__all__ = [
    "TrainingSettings",
    "distill_students",
    "train_backbone",
]
