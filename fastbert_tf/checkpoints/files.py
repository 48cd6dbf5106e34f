"""Reading files that may be damaged: JSON objects and safetensors."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import safetensors

from ..config import FastBertConfig


def read_json(path: str) -> dict[str, Any]:
    """The JSON object in `path`; anything else is a ValueError naming it."""
    return parse_json(read_text(path), path)


def parse_json(text: str, path: str) -> dict[str, Any]:
    """The JSON object `text`, which came from `path`."""
    try:
        fields = json.loads(text)
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
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"{path} is missing. Received a folder without it. Restore the "
            "file or fetch the folder again."
        )
    if os.path.getsize(path) == 0:
        raise ValueError(
            f"{path} is empty. Expected a file with contents. Fetch it again."
        )


@contextlib.contextmanager
def open_safetensors(path: str) -> Iterator[Any]:
    """The open file; one that is not whole is a ValueError naming it."""
    require_file(path)
    try:
        file = safetensors.safe_open(path, framework="np")
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"{path} is not a whole safetensors file: {error}. Fetch it again."
        ) from error
    with file as opened:
        yield opened


def make_config(fields: Mapping[str, Any], path: str) -> FastBertConfig:
    """The configuration; what is wrong with it is told with `path`."""
    try:
        return FastBertConfig.from_dict(fields)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def require_fields(
    fields: Mapping[str, Any], required: tuple[str, ...], path: str
) -> None:
    """Refuses a configuration without the sizes nothing else can tell."""
    missing = [name for name in required if name not in fields]
    if missing:
        raise ValueError(
            f"{path} lacks {missing}. Received: {sorted(fields)}. Use the "
            "configuration that belongs to these weights."
        )


def refuse_other_networks(
    fields: Mapping[str, Any],
    harmless: Mapping[str, tuple[Any, ...]],
    path: str,
) -> None:
    """Refuses a key whose value asks for something else than BERT."""
    for name, allowed in harmless.items():
        value = fields.get(name)
        if value not in allowed:
            raise ValueError(
                f"{path} asks for another network than BERT's encoder. "
                f"Received: {name}={value!r}. Expected one of: "
                f"{list(allowed)}. Use a plain BERT checkpoint."
            )
