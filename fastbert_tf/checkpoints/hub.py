"""Names on the Hugging Face hub: three files, fetched into its cache."""

import os
import re

from huggingface_hub import errors, hf_hub_download

FILES = ("config.json", "model.safetensors", "vocab.txt")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def is_hub_name(path: str) -> bool:
    """Whether `path` can only mean the hub: `name` or `org/name`."""
    if os.path.lexists(path):
        return False
    return bool(_NAME.fullmatch(path)) and ".." not in path


def fetch(path: str, endpoint: str | None = None) -> str:
    """The folder of `path`, fetched from the hub if it is a name there.

    Args:
        path: a folder or file, given back as it is, or a name on the hub.
        endpoint: address of the hub; None means Hugging Face's.

    Raises:
        FileNotFoundError: there is no such path, and the hub has none of
            that name or cannot be reached.
    """
    if os.path.exists(path):
        return path
    if not is_hub_name(path):
        raise FileNotFoundError(
            f"There is nothing at {path!r}. Expected: a folder (Hugging "
            "Face, Google TensorFlow or FastBERT), a `.bin` file, or a name "
            "on the Hugging Face hub such as 'bert-base-uncased'. Check the "
            "path."
        )
    return os.path.dirname(
        [_download(path, name, endpoint) for name in FILES][-1]
    )


def _download(name: str, file: str, endpoint: str | None) -> str:
    try:
        return hf_hub_download(name, file, endpoint=endpoint)
    except (OSError, ValueError, errors.EntryNotFoundError) as error:
        raise FileNotFoundError(
            f"There is no folder {name!r}, and {file} of that name could not "
            f"be fetched from the Hugging Face hub: {error}. Check the name "
            "and the connection, or fetch "
            f"{', '.join(FILES)} elsewhere and pass their folder."
        ) from error
