"""Google's TensorFlow folders: `bert_config.json` and `bert_model.ckpt`.

The activation called `"gelu"` is read as the erf form: the code these weights
were released with in 2018 used it, and so does `transformers`. Later code
under the same name approximates it with tanh, 3e-4 away.
"""

import contextlib
import glob
import os
import re
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from ..files.checked_read import read_json, require_file
from .checkpoint import Checkpoint
from .files import make_config
from .huggingface import config_fields
from .table import (
    Correspondence,
    Table,
    TensorFile,
    same,
    translate,
    without_prefixes,
)

CONFIG_FILE = "bert_config.json"


def _dense(ours: str, theirs: str) -> Table:
    return (
        Correspondence(f"{ours}/kernel", f"{theirs}/kernel", same),
        Correspondence(f"{ours}/bias", f"{theirs}/bias", same),
    )


def _layer_norm(ours: str, theirs: str) -> Table:
    return (
        Correspondence(f"{ours}/gamma", f"{theirs}/gamma", same),
        Correspondence(f"{ours}/beta", f"{theirs}/beta", same),
    )


_LAYER = "encoder/layer_{i}"
BACKBONE: Table = (
    Correspondence(
        "embeddings/token_embedding/embeddings",
        "embeddings/word_embeddings",
        same,
    ),
    Correspondence(
        "embeddings/position_embedding",
        "embeddings/position_embeddings",
        same,
    ),
    Correspondence(
        "embeddings/token_type_embedding/embeddings",
        "embeddings/token_type_embeddings",
        same,
    ),
    *_layer_norm("embeddings/layer_norm", "embeddings/LayerNorm"),
    *_dense("block_{i}/attention/query", f"{_LAYER}/attention/self/query"),
    *_dense("block_{i}/attention/key", f"{_LAYER}/attention/self/key"),
    *_dense("block_{i}/attention/value", f"{_LAYER}/attention/self/value"),
    *_dense(
        "block_{i}/attention/output_dense", f"{_LAYER}/attention/output/dense"
    ),
    *_layer_norm(
        "block_{i}/attention_layer_norm", f"{_LAYER}/attention/output/LayerNorm"
    ),
    *_dense("block_{i}/intermediate", f"{_LAYER}/intermediate/dense"),
    *_dense("block_{i}/output_dense", f"{_LAYER}/output/dense"),
    *_layer_norm("block_{i}/output_layer_norm", f"{_LAYER}/output/LayerNorm"),
)

# The pretraining heads, the head of a fine-tuned model, and the slots of its
# optimizer.
IGNORED = re.compile(
    r"(cls|pooler)/.*|output_(weights|bias)|global_step|.*/adam_[mv]"
)


def canonical_name(name: str) -> str:
    """The name in the table, without the scope of the model."""
    return without_prefixes(name, ("bert/",))


def read(folder: str) -> Checkpoint:
    """The encoder in a Google folder; it has no exit classifiers."""
    config_path = os.path.join(folder, CONFIG_FILE)
    fields = config_fields(read_json(config_path), config_path)
    config = make_config(fields, config_path)
    prefix = _checkpoint_prefix(folder)
    tensors = translate(_open(prefix), BACKBONE, config, IGNORED)
    origin = {"format": "google", "template": "bert"}
    return Checkpoint(config, tensors, origin)


def _open(prefix: str) -> TensorFile:
    with _damage_named(prefix):
        reader = tf.train.load_checkpoint(prefix)
        names = reader.get_variable_to_shape_map()

    def read_tensor(name: str) -> np.ndarray:
        with _damage_named(prefix):
            return np.asarray(reader.get_tensor(name))

    return TensorFile.of(prefix, names, canonical_name, read_tensor)


def _checkpoint_prefix(folder: str) -> str:
    """The path before `.index` and `.data-...`, both of which must exist."""
    indices = sorted(glob.glob("*.index", root_dir=folder))
    if len(indices) != 1:
        raise FileNotFoundError(
            f"{folder} must hold one TensorFlow checkpoint, usually "
            f"bert_model.ckpt.index. Received: {indices}. Restore it, or "
            "move the others away."
        )
    prefix = os.path.join(folder, indices[0].removesuffix(".index"))
    require_file(f"{prefix}.index")
    data = glob.glob(f"{glob.escape(prefix)}.data-*")
    for path in data or [f"{prefix}.data-00000-of-00001"]:
        require_file(path)
    return prefix


@contextlib.contextmanager
def _damage_named(prefix: str) -> Iterator[None]:
    """TensorFlow checks its own checksums; its errors get name and remedy.

    They come as `tf.errors`, `IndexError` and others.
    """
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{prefix} (.index or .data) is damaged: {error}. Fetch both "
            "files again."
        ) from error
