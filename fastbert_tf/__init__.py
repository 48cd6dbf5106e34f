"""FastBERT for TensorFlow 2 and Keras 3: BERT that answers early."""

from .config import FastBertConfig
from .distillation import SelfDistiller
from .exits import simulate_exits
from .model import FastBertClassifier
from .results import ExitResult
from .uncertainty import normalized_entropy

__all__ = [
    "ExitResult",
    "FastBertClassifier",
    "FastBertConfig",
    "SelfDistiller",
    "normalized_entropy",
    "simulate_exits",
]
