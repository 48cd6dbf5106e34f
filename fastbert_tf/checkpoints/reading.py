"""From a path to a checkpoint, whatever format lies there."""

import dataclasses
import os

from . import folder, google, huggingface, uer
from .checkpoint import Checkpoint
from .hub import fetch, is_hub_name
from .manifest import MANIFEST_FILE


def read_checkpoint(
    path: str | os.PathLike[str], config_path: str | None = None
) -> Checkpoint:
    """Reads any supported checkpoint, completely or not at all.

    A folder's format is told by the files in it, the most specific first:
    `fastbert.json` (ours), `model.safetensors` or `config.json` (Hugging
    Face), `bert_config.json` or `*.index` (Google).

    Args:
        path: a folder, a `.bin` file, or a name on the Hugging Face hub.
        config_path: the JSON configuration of a `.bin` file.

    Raises:
        FileNotFoundError: nothing at `path`, or a file is missing in it.
        ValueError: a file is damaged or does not fit the others.
        ImportError: a `.bin` file needs PyTorch, which is not installed.
    """
    path = os.fspath(path)
    from_hub = is_hub_name(path)
    local = fetch(path)
    if os.path.isdir(local):
        _check_no_config_path(path, config_path)
        checkpoint = _read_folder(local)
    else:
        checkpoint = uer.read(local, config_path)
    source = path if from_hub else os.path.basename(os.path.abspath(path))
    origin = {"source": source, "block_repetition": 1, **checkpoint.origin}
    return dataclasses.replace(checkpoint, origin=origin)


def _read_folder(path: str) -> Checkpoint:
    names = set(os.listdir(path))
    if MANIFEST_FILE in names:
        return folder.read(path)
    if huggingface.WEIGHTS_FILE in names:
        return huggingface.read(path)
    if google.CONFIG_FILE in names or any(n.endswith(".index") for n in names):
        return google.read(path)
    if huggingface.CONFIG_FILE in names:
        return huggingface.read(path)
    raise FileNotFoundError(
        f"{path} is not a checkpoint. Received: {sorted(names)[:20]}. "
        "Expected: config.json and model.safetensors (Hugging Face), "
        "bert_config.json and bert_model.ckpt (Google), or a folder that "
        "`save_pretrained` wrote."
    )


def _check_no_config_path(path: str, config_path: str | None) -> None:
    if config_path is not None:
        raise ValueError(
            f"`config_path` belongs to a `.bin` file. Received: a folder "
            f"{path!r} and config_path={config_path!r}. Leave it out; the "
            "folder has its own configuration."
        )
