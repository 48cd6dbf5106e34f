"""What tests look at in a bundle."""

import pathlib

import numpy as np

from fastbert_tf import FastBertClassifier, FastBertConfig
from fastbert_tf.export import Bundle
from fastbert_tf.segments import Driver

from ..tiny_models import tiny_inputs


def content(folder: pathlib.Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def wide_model(intermediate_size: int) -> FastBertClassifier:
    """Of two blocks whose weights are large beside their graphs."""
    config = FastBertConfig(
        vocab_size=23,
        hidden_size=384,
        num_hidden_layers=2,
        intermediate_size=intermediate_size,
        num_classes=5,
    )
    return FastBertClassifier(config)


def answers(bundle: pathlib.Path) -> np.ndarray:
    """Logits of some rows, after the bundle has proved whole."""
    whole = Bundle(bundle)
    whole.preprocessor()
    return Driver(whole.segments()).predict(tiny_inputs(), 0.0).logits
