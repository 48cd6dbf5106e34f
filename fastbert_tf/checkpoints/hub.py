"""Names on the Hugging Face hub, their files fetched into its cache."""

import os
import re

import huggingface_hub
from huggingface_hub import constants, errors

from ..files.checked_read import read_json
from .huggingface import CONFIG_FILE, WEIGHTS_FILE, config_fields
from .manifest import MANIFEST_FILE

# One of them holds the vocabulary; both may be there.
VOCABULARY_FILES = ("vocab.txt", "tokenizer.json")
# Where there are any: what the tokenizer is told, and what a folder of ours
# has. Without the first, a cased vocabulary might be lower-cased.
OPTIONAL_FILES = ("tokenizer_config.json", "normalization.npz")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def is_hub_name(path: str) -> bool:
    """Whether `path` can only mean the hub: `name` or `org/name`."""
    if os.path.lexists(path):
        return False
    return bool(_NAME.fullmatch(path)) and ".." not in path


def fetch(path: str | os.PathLike[str], endpoint: str | None = None) -> str:
    """The folder of `path`, fetched from the hub if it is a name there.

    The small files come first, so that a network that is not BERT, or one
    without a vocabulary, is refused before its weights are fetched.

    Args:
        path: a folder or file, given back as it is, or a name on the hub.
        endpoint: address of the hub; None means Hugging Face's.

    Raises:
        FileNotFoundError: there is no such path, and the hub has none of
            that name, has none with the files of a BERT, or cannot be
            reached.
        ValueError: the configuration on the hub is not that of a BERT.
    """
    path = os.fspath(path)
    if os.path.exists(path):
        return path
    if not is_hub_name(path):
        raise FileNotFoundError(
            f"There is nothing at {path!r}. Expected: a folder (Hugging "
            "Face, Google TensorFlow or FastBERT), a `.bin` file, or a name "
            "on the Hugging Face hub such as 'bert-base-uncased'. Check the "
            "path."
        )
    config = _download(path, CONFIG_FILE, endpoint)
    if not _download_if_there(path, MANIFEST_FILE, endpoint):
        config_fields(read_json(config), config)
    found = [_download_if_there(path, n, endpoint) for n in VOCABULARY_FILES]
    if not any(found):
        raise FileNotFoundError(
            f"{path!r} on the Hugging Face hub has no vocabulary. Expected: "
            f"{' or '.join(VOCABULARY_FILES)}. Pass the name of a BERT with "
            "its tokenizer, or a folder with such a file."
        )
    for name in OPTIONAL_FILES:
        _download_if_there(path, name, endpoint)
    _download(path, WEIGHTS_FILE, endpoint)
    return os.path.dirname(config)


def _download(name: str, file: str, endpoint: str | None) -> str:
    try:
        return huggingface_hub.hf_hub_download(name, file, endpoint=endpoint)
    except (OSError, ValueError, errors.EntryNotFoundError) as error:
        raise _unreachable(name, file, error) from error


def _download_if_there(name: str, file: str, endpoint: str | None) -> bool:
    """Only the hub's own word that there is no such file counts as none."""
    known = huggingface_hub.try_to_load_from_cache(
        name, file, cache_dir=constants.HF_HUB_CACHE
    )
    if known is huggingface_hub._CACHED_NO_EXIST:
        return False
    try:
        huggingface_hub.hf_hub_download(name, file, endpoint=endpoint)
    except errors.LocalEntryNotFoundError as error:
        raise _unreachable(name, file, error) from error
    except errors.EntryNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise _unreachable(name, file, error) from error
    return True


def _unreachable(name: str, file: str, error: Exception) -> FileNotFoundError:
    return FileNotFoundError(
        f"There is no folder {name!r}, and {file} of that name could not be "
        f"fetched from the Hugging Face hub: {error}. Check the name and the "
        f"connection, or fetch {CONFIG_FILE}, {WEIGHTS_FILE} and "
        f"{' or '.join(VOCABULARY_FILES)} elsewhere and pass their folder."
    )
