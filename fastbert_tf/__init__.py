"""FastBERT for TensorFlow 2 and Keras 3: BERT that answers early."""

from .config import FastBertConfig
from .data.dataset import load_dataset
from .data.tables import read_labels
from .distillation import SelfDistiller
from .exits import simulate_exits
from .model import FastBertClassifier
from .results import ExitResult
from .text.preprocessor import TextPreprocessor
from .uncertainty import normalized_entropy

__all__ = [
    "ExitResult",
    "FastBertClassifier",
    "FastBertConfig",
    "SelfDistiller",
    "TextPreprocessor",
    "load_dataset",
    "normalized_entropy",
    "read_labels",
    "simulate_exits",
]
