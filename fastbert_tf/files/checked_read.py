"""Reading files that may be damaged: text, JSON objects, checksums."""

import hashlib
import json
import os
from collections.abc import Callable
from typing import Any


def read_json(path: str) -> dict[str, Any]:
    """The JSON object in `path`; anything else is a ValueError naming it."""
    return parse_json(read_text(path), path)


def parse_json(
    text: str,
    path: str,
    make_object: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> dict[str, Any]:
    """The JSON object `text`, which came from `path`.

    `make_object`, if given, makes an object of its keys and values and may
    refuse them by a ValueError.
    """
    try:
        fields = json.loads(text, object_pairs_hook=make_object)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not valid JSON: {error}. The file is damaged; fetch "
            "it again."
        ) from error
    if not isinstance(fields, dict):
        raise ValueError(
            f"{path} must hold a JSON object. Received: "
            f"{type(fields).__name__}. Fetch the file again."
        )
    return fields


def read_text(path: str) -> str:
    """The UTF-8 text in `path`, line ends untouched."""
    require_file(path)
    with open(path, encoding="utf-8", newline="") as file:
        try:
            return file.read()
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path} is not UTF-8 text: {error}. The file is damaged; "
                "fetch it again."
            ) from error


def require_file(path: str) -> None:
    """Refuses a missing or empty file by its name."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"{path} is missing. There is no folder {folder}. Check the path."
        )
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"{path} is missing. Received a folder without it. Restore the "
            "file or fetch the folder again."
        )
    if os.path.getsize(path) == 0:
        raise ValueError(
            f"{path} is empty. Expected a file with contents. Fetch it again."
        )


def file_sha256(path: str) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
