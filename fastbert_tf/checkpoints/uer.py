"""UER and official FastBERT files: a `.bin` of PyTorch and a JSON of sizes.

What is different there, and ends here: layer norm divides by the unbiased
standard deviation, token types count from 1 (0 is padding), and GELU is the
erf form under any configuration.

Reference:
    `dbiir/UER-py`, on which `autoliuweijie/FastBERT` is built.
"""

import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from ..files.checked_read import read_json, require_file
from .checkpoint import Checkpoint
from .files import make_config, refuse_other_networks, require_fields
from .huggingface import config_fields
from .table import (
    Correspondence,
    Table,
    TensorFile,
    linear,
    same,
    translate,
    without_prefixes,
)

# UER divides by (std + 1e-6) where we take sqrt(variance + epsilon); for the
# deviations that occur (0.01 and more) the least epsilon is the closest.
_LAYER_NORM_EPS = 1e-12

_UER_SIZES = {
    "hidden_size": "hidden_size",
    "feedforward_size": "intermediate_size",
    "heads_num": "num_attention_heads",
    "layers_num": "num_hidden_layers",
}
_HARMLESS = {
    "embedding": (None, "bert", "word_pos_seg"),
    "encoder": (None, "bert", "transformer"),
    "mask": (None, "fully_visible"),
    "feed_forward": (None, "dense"),
    "layernorm_positioning": (None, "post"),
    "parameter_sharing": (None, False),
    "factorized_embedding_parameterization": (None, False),
    "remove_embedding_layernorm": (None, False),
    "remove_transformer_bias": (None, False),
    "relative_position_embedding": (None, False),
    "hidden_act": (None, "gelu"),
}


def unbiased_gamma(gamma: np.ndarray) -> np.ndarray:
    """Gamma for a biased deviation: `torch.std` divides by H - 1, not H."""
    width = max(gamma.size, 1)
    return gamma * np.float32(np.sqrt((width - 1) / width))


def real_token_types(table: np.ndarray) -> np.ndarray:
    """Rows 1 (A) and 2 (B); row 0 is for padding, which is masked."""
    return table[1:]


def _layer_norm(ours: str, theirs: str) -> Table:
    return (
        Correspondence(f"{ours}/gamma", f"{theirs}.gamma", unbiased_gamma),
        Correspondence(f"{ours}/beta", f"{theirs}.beta", same),
    )


def _attention(ours: str, theirs: str) -> Table:
    """UER keeps query, key and value in a list, in this order."""
    return (
        *linear(f"{ours}/query", f"{theirs}.linear_layers.0"),
        *linear(f"{ours}/key", f"{theirs}.linear_layers.1"),
        *linear(f"{ours}/value", f"{theirs}.linear_layers.2"),
        *linear(f"{ours}/output_dense", f"{theirs}.final_linear"),
    )


_LAYER = "encoder.transformer.{i}"
BACKBONE: Table = (
    Correspondence(
        "embeddings/token_embedding/embeddings",
        "embedding.word_embedding.weight",
        same,
    ),
    Correspondence(
        "embeddings/position_embedding",
        "embedding.position_embedding.weight",
        same,
    ),
    Correspondence(
        "embeddings/token_type_embedding/embeddings",
        "embedding.segment_embedding.weight",
        real_token_types,
    ),
    *_layer_norm("embeddings/layer_norm", "embedding.layer_norm"),
    *_attention("block_{i}/attention", f"{_LAYER}.self_attn"),
    *_layer_norm("block_{i}/attention_layer_norm", f"{_LAYER}.layer_norm_1"),
    *linear("block_{i}/intermediate", f"{_LAYER}.feed_forward.linear_1"),
    *linear("block_{i}/output_dense", f"{_LAYER}.feed_forward.linear_2"),
    *_layer_norm("block_{i}/output_layer_norm", f"{_LAYER}.layer_norm_2"),
)
_EXIT = "classifiers.{i}"
EXIT_CLASSIFIERS: Table = (
    *linear("exit_classifier_{i}/input_dense", f"{_EXIT}.output_layer_0"),
    *_attention("exit_classifier_{i}/attention", f"{_EXIT}.self_atten"),
    *linear("exit_classifier_{i}/pooled_dense", f"{_EXIT}.output_layer_1"),
    *linear("exit_classifier_{i}/logits_dense", f"{_EXIT}.output_layer_2"),
)

# `target` holds the pretraining heads. The counters are left by `thop`, which
# the official script runs before it saves.
IGNORED = re.compile(r"target\..*|(.*\.)?total_(ops|params)")
# Of several GPUs, and of the package, which keeps the encoder in `kernel`.
_PREFIXES = ("module.", "kernel.")


def canonical_name(name: str) -> str:
    """The name in the table, without the prefix of a wrapper."""
    return without_prefixes(name, _PREFIXES)


def read(path: str, config_path: str | None) -> Checkpoint:
    """The encoder in a `.bin` file, with its exit classifiers if any."""
    if config_path is None:
        raise ValueError(
            f"{path} does not say its number of heads. Received: "
            "config_path=None. Expected: the JSON file with its sizes, in "
            "UER's or Google's names; pass it as `config_path`."
        )
    state = _load_state(path)
    file = TensorFile.of(
        path, state, canonical_name, lambda name: _to_numpy(state[name])
    )
    has_exits = any(n.startswith("classifiers.") for n in file.stored_names)
    table = BACKBONE + (EXIT_CLASSIFIERS if has_exits else ())
    config = make_config(_config_fields(file, config_path), config_path)
    tensors = translate(file, table, config, IGNORED)
    return Checkpoint(config, tensors, {"format": "uer", "template": "uer"})


def _config_fields(file: TensorFile, path: str) -> dict[str, Any]:
    """Sizes from the JSON; those it lacks from the tensors."""
    received = read_json(path)
    refuse_other_networks(received, _HARMLESS, path)
    is_google = "num_hidden_layers" in received
    named = _google_fields if is_google else _uer_fields
    embedding = "embedding.{}_embedding.weight"
    return {
        "vocab_size": _num_rows(file, embedding.format("word"), 1),
        "max_position_embeddings": _num_rows(
            file, embedding.format("position"), 512
        ),
        **named(received, path),
        "type_vocab_size": 2,
        "layer_norm_eps": _LAYER_NORM_EPS,
        "num_classes": _num_rows(
            file, "classifiers.0.output_layer_2.weight", 2
        ),
        "classifier_hidden_size": _num_rows(
            file, "classifiers.0.output_layer_0.weight", 128
        ),
        "classifier_pooling": _pooling(received, path),
    }


def _google_fields(received: Mapping[str, Any], path: str) -> dict[str, Any]:
    return config_fields(received, path)


def _uer_fields(received: Mapping[str, Any], path: str) -> dict[str, Any]:
    require_fields(received, tuple(_UER_SIZES), path)
    width, embedded = received["hidden_size"], received.get("emb_size")
    if embedded not in (None, width):
        raise ValueError(
            f"{path}: `emb_size` must equal `hidden_size`. Received: "
            f"emb_size={embedded!r}, hidden_size={width!r}. Use a BERT "
            "without factorized embeddings."
        )
    fields = {ours: received[theirs] for theirs, ours in _UER_SIZES.items()}
    if "max_seq_length" in received:
        fields["max_position_embeddings"] = received["max_seq_length"]
    dropout = received.get("dropout", 0.1)
    fields["hidden_dropout_prob"] = dropout
    fields["attention_probs_dropout_prob"] = dropout
    return fields


def _pooling(received: Mapping[str, Any], path: str) -> str:
    pooling = received.get("pooling", "first")
    if pooling == "mean":
        raise ValueError(
            f"{path}: `pooling` cannot be 'mean'. Received: pooling='mean'. "
            "The released code averages the feature axis there instead of "
            "the positions, so that no weights fit. Expected: 'first', "
            "'max' or 'last'; train again with one of them."
        )
    if pooling in ("max", "last"):
        logging.warning(
            "pooling=%r reads real tokens only; the released code reads "
            "padding too, so padded rows answer differently.",
            pooling,
        )
    return pooling


def _num_rows(file: TensorFile, name: str, otherwise: int) -> int:
    if name not in file.stored_names:
        return otherwise
    shape = file.read(file.stored_names[name]).shape
    return int(shape[0]) if shape else otherwise


def _load_state(path: str) -> Mapping[str, Any]:
    """The state dict. Only tensors are unpickled, so no code can run."""
    require_file(path)
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            f"{path} is a PyTorch file, and PyTorch is not installed. "
            "Install it with: pip install 'fastbert-tf[torch]'"
        ) from error
    _check_archive(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(
            f"{path} is not a file of PyTorch tensors, or is damaged: "
            f"{error}. Expected: the `state_dict` of a model, as "
            "`torch.save` writes it. Nothing in it was run."
        ) from error
    if not isinstance(state, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in state.values()
    ):
        raise ValueError(
            f"{path} must hold a dict of tensors. Received: "
            f"{type(state).__name__}. Save `model.state_dict()` instead."
        )
    return state


def _check_archive(path: str) -> None:
    """Refuses a changed byte: PyTorch reads its zip files without looking."""
    if not zipfile.is_zipfile(path):
        return  # Older files are plain pickles, which have no checksums.
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        raise ValueError(
            f"{path} is damaged: {error}. Expected the file as `torch.save` "
            "wrote it. Copy it again."
        ) from error
    if damaged is not None:
        raise ValueError(
            f"{path} is damaged: {damaged} in it does not fit its checksum. "
            "Expected the file as `torch.save` wrote it. Copy it again."
        )


def _to_numpy(tensor: Any) -> np.ndarray:
    """NumPy has no bfloat16 of PyTorch's: floating tensors go to float32."""
    wanted = tensor.float() if tensor.is_floating_point() else tensor
    return wanted.detach().numpy()
