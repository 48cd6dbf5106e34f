"""JSON files that tell their format version and whether they are whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from .checked_read import parse_json, read_text


def to_text(fields: Mapping[str, Any], format_version: int) -> str:
    """The file: one text for one content, checksum included."""
    content = {"format_version": format_version, **fields}
    checksum = hashlib.sha256(_canonical(content).encode()).hexdigest()
    return _canonical({**content, "checksum": checksum}, indent=2) + "\n"


def read_checksummed(
    path: str, names: Mapping[int, Collection[str]]
) -> tuple[int, dict[str, Any]]:
    """The format version and the fields that `to_text` was given.

    Args:
        path: the file.
        names: format versions that are understood to the names of their
            fields, all of them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another format version, or any byte was changed.
    """
    text = read_text(path)
    fields = parse_json(text, path)
    version = fields.pop("format_version", None)
    if version not in names:
        raise ValueError(
            f"{path} has another format. Received: format_version="
            f"{version!r}. Expected: {_either(names)}. Install the version "
            "of fastbert-tf that wrote it, or save the model again."
        )
    fields.pop("checksum", None)
    # Written again, an undamaged file is the same text, byte for byte.
    is_complete = set(fields) == set(names[version])
    if not is_complete or to_text(fields, version) != text:
        raise ValueError(
            f"{path} is damaged or was edited: its contents do not fit its "
            "checksum. Expected the file as it was written. Restore it, or "
            "save the model again."
        )
    return version, fields


def _either(versions: Collection[int]) -> str:
    return " or ".join(str(version) for version in versions)


def _canonical(fields: Mapping[str, Any], indent: int | None = None) -> str:
    return json.dumps(
        fields,
        indent=indent,
        sort_keys=True,
        ensure_ascii=False,
        allow_nan=False,
    )
