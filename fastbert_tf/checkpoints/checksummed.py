"""JSON files that tell their format version and whether they are whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from .files import parse_json, read_text


def to_text(fields: Mapping[str, Any], format_version: int) -> str:
    """The file: one text for one content, checksum included."""
    content = {"format_version": format_version, **fields}
    checksum = hashlib.sha256(_canonical(content).encode()).hexdigest()
    return _canonical({**content, "checksum": checksum}, indent=2) + "\n"


def read_checksummed(
    path: str,
    format_version: int,
    names: Collection[str],
    optional: Collection[str] = (),
) -> dict[str, Any]:
    """The fields that `to_text` was given.

    Args:
        path: the file.
        format_version: int, the one that is understood.
        names: of the fields, all of them.
        optional: names of fields that may be there too.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another format version, or any byte was changed.
    """
    text = read_text(path)
    fields = parse_json(text, path)
    version = fields.pop("format_version", None)
    if version != format_version:
        raise ValueError(
            f"{path} has another format. Received: format_version="
            f"{version!r}. Expected: {format_version}. Install the version "
            "of fastbert-tf that wrote it, or save the model again."
        )
    fields.pop("checksum", None)
    # Written again, an undamaged file is the same text, byte for byte.
    is_complete = set(fields) - set(optional) == set(names)
    if not is_complete or to_text(fields, format_version) != text:
        raise ValueError(
            f"{path} is damaged or was edited: its contents do not fit its "
            "checksum. Expected the file as it was written. Restore it, or "
            "save the model again."
        )
    return fields


def _canonical(fields: Mapping[str, Any], indent: int | None = None) -> str:
    return json.dumps(
        fields,
        indent=indent,
        sort_keys=True,
        ensure_ascii=False,
        allow_nan=False,
    )
