"""Keras finds our classes by name, so that `load_model` needs no list."""

import keras

from .distillation import DistillationLoss, SelfDistiller
from .exit_classifier import ClassifierAttention, ExitClassifier
from .layers import Block, Embeddings, SelfAttention
from .model import AllExits, FastBertClassifier
from .training.optimization import LinearWarmupDecay

CLASSES = (
    AllExits,
    Block,
    ClassifierAttention,
    DistillationLoss,
    Embeddings,
    ExitClassifier,
    FastBertClassifier,
    LinearWarmupDecay,
    SelfAttention,
    SelfDistiller,
)

# As `.keras` files of 0.1 name them, which knew no package.
_OLD_NAMES = (FastBertClassifier, LinearWarmupDecay)


def register_classes() -> None:
    """Names every class that a `.keras` file can hold to Keras."""
    register = keras.saving.register_keras_serializable(package="fastbert_tf")
    for cls in CLASSES:
        register(cls)
    for cls in _OLD_NAMES:
        keras.saving.get_custom_objects().setdefault(cls.__name__, cls)
