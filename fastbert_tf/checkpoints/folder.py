"""Our own folders: a Hugging Face encoder, the exits beside it, a manifest.

config.json         the encoder, in Hugging Face's names
model.safetensors   the encoder's tensors and `exit_classifiers.{i}.*`
vocab.txt, ...      what the preprocessor saved
fastbert.json       classes, labels, origin, SHA-256 of the other files
"""

import os
import re

from ..files.checked_read import read_json
from .checkpoint import Checkpoint
from .files import make_config, open_safetensors
from .huggingface import (
    BACKBONE,
    CONFIG_FILE,
    WEIGHTS_FILE,
    config_fields,
)
from .manifest import read_manifest
from .table import Table, TensorFile, linear, translate

_EXIT = "exit_classifiers.{i}"
EXIT_CLASSIFIERS: Table = tuple(
    row
    for part in (
        "input_dense",
        "attention/query",
        "attention/key",
        "attention/value",
        "attention/output_dense",
        "pooled_dense",
        "logits_dense",
    )
    for row in linear(
        f"exit_classifier_{{i}}/{part}", f"{_EXIT}.{part.replace('/', '.')}"
    )
)
TABLE: Table = BACKBONE + EXIT_CLASSIFIERS
_NOTHING = re.compile(r"(?!)")


def read(folder: str) -> Checkpoint:
    """The model in a FastBERT folder, once every file has proved whole."""
    manifest = read_manifest(folder)
    manifest.check_files(folder)
    config_path = os.path.join(folder, CONFIG_FILE)
    fields = config_fields(read_json(config_path), config_path)
    fields["num_classes"] = manifest.num_classes
    for name, value in manifest.classifier.items():
        fields[f"classifier_{name}"] = value
    config = make_config(fields, config_path)
    path = os.path.join(folder, WEIGHTS_FILE)
    with open_safetensors(path) as opened:
        file = TensorFile.of(path, opened.keys(), str, opened.get_tensor)
        tensors = translate(file, TABLE, config, _NOTHING)
    return Checkpoint(config, tensors, manifest.origin)
