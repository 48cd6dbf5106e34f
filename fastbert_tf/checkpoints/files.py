"""Configurations and safetensors of checkpoints that may be damaged."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import safetensors

from ..config import FastBertConfig
from ..files.checked_read import require_file


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
