"""FastBERT for TensorFlow 2 and Keras 3: BERT that answers early."""

from .config import FastBertConfig
from .data.dataset import load_dataset
from .data.tables import read_labels
from .distillation import SelfDistiller
from .exit_rule import (
    FIRST_EXIT,
    ExitRule,
    check_exits,
    entropy_score,
    leaves,
    leaving,
)
from .exits import simulate_exits
from .inputs import INPUT_NAMES, check_inputs, check_preprocessor
from .keras_files import register_classes
from .model import FastBertClassifier
from .results import INVALID_LABEL, ExitResult
from .speed import check_speed, speed_thresholds
from .text.preprocessor import TextPreprocessor
from .uncertainty import normalized_entropy
from .version import __version__ as __version__

__all__ = [
    "FIRST_EXIT",
    "INPUT_NAMES",
    "INVALID_LABEL",
    "ExitResult",
    "ExitRule",
    "FastBertClassifier",
    "FastBertConfig",
    "SelfDistiller",
    "TextPreprocessor",
    "check_exits",
    "check_inputs",
    "check_preprocessor",
    "check_speed",
    "entropy_score",
    "leaves",
    "leaving",
    "load_dataset",
    "normalized_entropy",
    "read_labels",
    "simulate_exits",
    "speed_thresholds",
]

register_classes()
