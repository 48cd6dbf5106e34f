"""Hugging Face folders: `config.json` and `model.safetensors`.

Both are read directly. `transformers` is not needed, and no class named in a
configuration is looked up: crafted ones have run code that way.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from absl import logging

from ..files.checked_read import read_json
from .checkpoint import Checkpoint
from .files import (
    make_config,
    open_safetensors,
    refuse_other_networks,
    require_fields,
)
from .table import (
    Correspondence,
    Table,
    TensorFile,
    linear,
    same,
    translate,
    without_prefixes,
)

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"

# Sizes that are required: the heads cannot be told from the weights, and a
# configuration without the others is a damaged one.
_REQUIRED = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
)
# Taken if present, at BERT's usual value otherwise, as `transformers` does.
_OPTIONAL = (
    "hidden_act",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "initializer_range",
)
CONFIG_KEYS = (*_REQUIRED, *_OPTIONAL)
# Keys that would change the network, and the values that do not. All other
# keys are about generation, caching or provenance and are not looked at.
_HARMLESS = {
    "model_type": (None, "bert"),
    "position_embedding_type": (None, "absolute"),
    "is_decoder": (None, False),
    "add_cross_attention": (None, False),
    "pruned_heads": (None, {}),
    "quantization_config": (None,),
    "auto_map": (None,),
}


def _layer_norm(ours: str, theirs: str) -> Table:
    return (
        Correspondence(f"{ours}/gamma", f"{theirs}.weight", same),
        Correspondence(f"{ours}/beta", f"{theirs}.bias", same),
    )


_EMBEDDED = "embeddings"
_LAYER = "encoder.layer.{i}"
BACKBONE: Table = (
    Correspondence(
        "embeddings/token_embedding/embeddings",
        f"{_EMBEDDED}.word_embeddings.weight",
        same,
    ),
    Correspondence(
        "embeddings/position_embedding",
        f"{_EMBEDDED}.position_embeddings.weight",
        same,
    ),
    Correspondence(
        "embeddings/token_type_embedding/embeddings",
        f"{_EMBEDDED}.token_type_embeddings.weight",
        same,
    ),
    *_layer_norm("embeddings/layer_norm", f"{_EMBEDDED}.LayerNorm"),
    *linear("block_{i}/attention/query", f"{_LAYER}.attention.self.query"),
    *linear("block_{i}/attention/key", f"{_LAYER}.attention.self.key"),
    *linear("block_{i}/attention/value", f"{_LAYER}.attention.self.value"),
    *linear(
        "block_{i}/attention/output_dense", f"{_LAYER}.attention.output.dense"
    ),
    *_layer_norm(
        "block_{i}/attention_layer_norm", f"{_LAYER}.attention.output.LayerNorm"
    ),
    *linear("block_{i}/intermediate", f"{_LAYER}.intermediate.dense"),
    *linear("block_{i}/output_dense", f"{_LAYER}.output.dense"),
    *_layer_norm("block_{i}/output_layer_norm", f"{_LAYER}.output.LayerNorm"),
)

# `pooler` and `cls` are the pretraining heads, `classifier` and `qa_outputs`
# the heads of fine-tuned models: the exit classifiers take their place.
# `position_ids` and `token_type_ids` are constants old versions stored.
IGNORED = re.compile(
    r"(pooler|cls|classifier|qa_outputs)\..*"
    r"|embeddings\.(position_ids|token_type_ids)"
)
_TASK_HEAD = re.compile(r"(classifier|qa_outputs)\..*")
_PREFIXES = ("module.", "bert.")
# The spelling of checkpoints converted from TensorFlow before 2019.
_OLD_SPELLINGS = (
    (re.compile(r"(.*\.?LayerNorm)\.gamma"), r"\1.weight"),
    (re.compile(r"(.*\.?LayerNorm)\.beta"), r"\1.bias"),
)


def canonical_name(name: str) -> str:
    """The name in the table: no wrapper's prefix, today's spelling."""
    name = without_prefixes(name, _PREFIXES)
    for pattern, replacement in _OLD_SPELLINGS:
        name = (
            pattern.sub(replacement, name) if pattern.fullmatch(name) else name
        )
    return name


def config_fields(fields: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The fields of ours in a `config.json`, after a look at the others."""
    refuse_other_networks(fields, _HARMLESS, path)
    require_fields(fields, _REQUIRED, path)
    return {name: fields[name] for name in CONFIG_KEYS if name in fields}


def read(folder: str) -> Checkpoint:
    """The encoder in a Hugging Face folder; it has no exit classifiers."""
    config_path = os.path.join(folder, CONFIG_FILE)
    fields = config_fields(read_json(config_path), config_path)
    config = make_config(fields, config_path)
    path = os.path.join(folder, WEIGHTS_FILE)
    _refuse_other_weights(folder)
    with open_safetensors(path) as opened:
        file = TensorFile.of(
            path, opened.keys(), canonical_name, opened.get_tensor
        )
        _refuse_exit_classifiers(file, folder)
        tensors = translate(file, BACKBONE, config, IGNORED)
    _log_task_head(file)
    origin = {"format": "huggingface", "template": "bert"}
    return Checkpoint(config, tensors, origin)


def _refuse_other_weights(folder: str) -> None:
    """Tells what to do with weights in another form than `WEIGHTS_FILE`."""
    others = {f"{WEIGHTS_FILE}.index.json", "pytorch_model.bin"}
    present = sorted(others & set(os.listdir(folder)))
    if present and not os.path.exists(os.path.join(folder, WEIGHTS_FILE)):
        raise FileNotFoundError(
            f"{folder} has no {WEIGHTS_FILE}. Received: {present}. Expected "
            "one file in safetensors format (a pickle is never loaded from a "
            "folder). Convert it once with `transformers`: "
            "BertModel.from_pretrained(old).save_pretrained(new, "
            "max_shard_size='50GB')."
        )


def _refuse_exit_classifiers(file: TensorFile, folder: str) -> None:
    if any(name.startswith("exit_classifiers.") for name in file.stored_names):
        raise FileNotFoundError(
            f"{os.path.join(folder, 'fastbert.json')} is missing. Received a "
            f"{WEIGHTS_FILE} with exit classifiers. Restore the whole folder."
        )


def _log_task_head(file: TensorFile) -> None:
    head = [name for name in file.stored_names if _TASK_HEAD.fullmatch(name)]
    if head:
        logging.warning(
            "%s: the task head %s is not used; the exit classifiers take its "
            "place.",
            file.path,
            sorted(head),
        )
