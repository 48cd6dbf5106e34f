"""Both stages of training, and what they need around `model.fit`."""

from .replicas import on_replicas
from .stages import TrainingSettings, distill_students, train_backbone
from .tables import Trained, train_tables
from .texts import train_classifier

__all__ = [
    "Trained",
    "TrainingSettings",
    "distill_students",
    "on_replicas",
    "train_backbone",
    "train_classifier",
    "train_tables",
]
