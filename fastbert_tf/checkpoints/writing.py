"""Writing our own folders; `folder.py` reads them."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import safetensors.numpy
import tensorflow as tf

from ..config import FastBertConfig
from ..files.atomic_folder import check_replaceable, replaced_folder
from ..files.checked_read import file_sha256
from ..version import __version__
from .checkpoint import Checkpoint
from .folder import TABLE
from .huggingface import CONFIG_FILE, CONFIG_KEYS, WEIGHTS_FILE
from .manifest import MANIFEST_FILE, Manifest
from .shapes import variable_shapes
from .table import check_finite, expand, listed


def write_folder(
    path: str,
    checkpoint: Checkpoint,
    preprocessor: Any = None,
    labels: Sequence[str] | None = None,
    training: Mapping[str, Any] | None = None,
) -> None:
    """Writes a FastBERT folder, aside first and then in place.

    A FastBERT folder at `path` is replaced as a whole, so nothing else
    belongs into it.

    Args:
        path: folder to make or replace.
        checkpoint: `Checkpoint` with exit classifiers.
        preprocessor: `TextPreprocessor`, saved with it; None leaves it out.
        labels: C different class names, in the order of the logits.
        training: plain JSON values, kept as they are.

    Raises:
        ValueError: the labels do not fit, a tensor is missing or not finite,
            or `path` is something else than a FastBERT folder.
        OSError: it cannot be written; what was there is unchanged.
    """
    config = checkpoint.config
    check_labels(labels, config.num_classes)
    _check_tensors(checkpoint)
    with replaced_folder(path, MANIFEST_FILE) as folder:
        _write_json(os.path.join(folder, CONFIG_FILE), _config_json(config))
        _write_tensors(os.path.join(folder, WEIGHTS_FILE), checkpoint)
        if preprocessor is not None:
            preprocessor.save(folder)
        manifest = Manifest(
            num_classes=config.num_classes,
            classifier={
                "hidden_size": config.classifier_hidden_size,
                "num_heads": config.classifier_num_heads,
                "pooling": config.classifier_pooling,
            },
            labels=None if labels is None else list(labels),
            preprocessing=None
            if preprocessor is None
            else preprocessor.config(),
            origin=checkpoint.origin,
            training=None if training is None else dict(training),
            versions=_versions(),
            sha256={
                name: file_sha256(os.path.join(folder, name))
                for name in sorted(os.listdir(folder))
            },
        )
        _write(os.path.join(folder, MANIFEST_FILE), manifest.to_text())


def check_writable(path: str, marker: str = MANIFEST_FILE) -> None:
    """Refuses what would not be replaced, before the work that it would keep.

    Args:
        path: folder that is to be made or replaced.
        marker: file name that tells a folder of ours from any other.

    Raises:
        ValueError: `path` is a file, a symbolic link or a foreign folder.
        PermissionError: its folder may not be written to.
    """
    check_replaceable(path, marker)
    parent = os.path.dirname(os.path.abspath(path))
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent) or not os.access(parent, os.W_OK):
        raise PermissionError(
            f"{parent} cannot be written to. Expected: a folder that takes "
            f"{path}. Choose another path."
        )


def check_labels(labels: Sequence[str] | None, num_classes: int) -> None:
    """Refuses labels that are not one different name a class, or None."""
    if labels is None:
        return
    are_names = all(isinstance(label, str) and label for label in labels)
    are_different = are_names and len(set(labels)) == len(labels)
    if not are_different or len(labels) != num_classes:
        raise ValueError(
            f"`labels` must be {num_classes} different names, one a class. "
            f"Received: labels={list(labels)}. Give them in the order of the "
            "logits."
        )


def _check_tensors(checkpoint: Checkpoint) -> None:
    expected = variable_shapes(checkpoint.config, with_exit_classifiers=True)
    received = {name: t.shape for name, t in checkpoint.tensors.items()}
    if received != expected:
        different = dict(received.items() ^ expected.items())
        raise ValueError(
            "The tensors do not fit the configuration. Received or expected "
            f"differently: {listed(different)}. Save a whole model."
        )
    for name, tensor in checkpoint.tensors.items():
        check_finite(np.asarray(tensor, np.float32), name, "the model")


def _config_json(config: FastBertConfig) -> dict[str, Any]:
    """The encoder's part, for every reader of Hugging Face's format."""
    fields = config.to_dict()
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "pad_token_id": 0,
        **{name: fields[name] for name in CONFIG_KEYS},
    }


def stored_tensors(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """The weights as a saved folder holds them, in PyTorch's orientation.

    Returns:
        name in the file to float32 array, contiguous.
    """
    # Every transform of the table is its own inverse.
    return {
        row.theirs: np.ascontiguousarray(
            row.transform(np.asarray(checkpoint.tensors[row.ours], np.float32))
        )
        for row in expand(TABLE, checkpoint.config.num_hidden_layers)
    }


def _write_tensors(path: str, checkpoint: Checkpoint) -> None:
    stored = stored_tensors(checkpoint)
    data = safetensors.numpy.save(stored, metadata={"format": "pt"})
    with open(path, "xb") as file:
        file.write(data)


def _write_json(path: str, fields: Mapping[str, Any]) -> None:
    _write(path, json.dumps(fields, indent=2, allow_nan=False) + "\n")


def _write(path: str, text: str) -> None:
    with open(path, "x", encoding="utf-8", newline="") as file:
        file.write(text)


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "fastbert-tf": __version__,
    }
