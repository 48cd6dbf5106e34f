"""FastBERT for TensorFlow 2 and Keras 3: BERT that answers early."""

from .config import FastBertConfig
from .data.dataset import load_dataset
from .data.tables import read_labels
from .distillation import SelfDistiller
from .exits import check_speed, simulate_exits
from .inputs import INPUT_NAMES, check_inputs, check_preprocessor
from .model import FastBertClassifier
from .results import INVALID_LABEL, ExitResult
from .text.preprocessor import TextPreprocessor
from .uncertainty import normalized_entropy

__all__ = [
    "INPUT_NAMES",
    "INVALID_LABEL",
    "ExitResult",
    "FastBertClassifier",
    "FastBertConfig",
    "SelfDistiller",
    "TextPreprocessor",
    "check_inputs",
    "check_preprocessor",
    "check_speed",
    "load_dataset",
    "normalized_entropy",
    "read_labels",
    "simulate_exits",
]
