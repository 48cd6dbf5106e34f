"""What tests look at in a bundle."""

import pathlib

import numpy as np

from fastbert_tf.export import load_preprocessor, load_segments
from fastbert_tf.segments import Driver

from ..tiny_models import tiny_inputs


def content(folder: pathlib.Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def answers(bundle: pathlib.Path) -> np.ndarray:
    """Logits of some rows, after the bundle has proved whole."""
    load_preprocessor(bundle)
    return Driver(load_segments(bundle)).predict(tiny_inputs(), 0.0).logits
