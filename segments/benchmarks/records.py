"""Records as JSON lines: the environment first, then a line a record."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastbert_tf.files import replaced_file

from .environment import Environment


def as_fields(record: Any) -> dict[str, Any]:
    """A record dataclass as plain values, floats at six digits."""
    return {k: _rounded(v) for k, v in dataclasses.asdict(record).items()}


def write_records(path: str, records: Sequence[dict[str, Any]]) -> None:
    """Writes the environment of this process and the records.

    Args:
        path: str, file to make or replace; it is written aside and renamed.
        records: dicts of `as_fields`.
    """
    environment = {"environment": dataclasses.asdict(Environment.current())}
    with (
        replaced_file(path) as partial,
        open(partial, "w", encoding="utf-8") as file,
    ):
        for line in (environment, *records):
            file.write(json.dumps(line, allow_nan=False) + "\n")


def read_records(
    path: str | Path,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The environment and the records of a file."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    environment, *records = map(json.loads, lines)
    return environment["environment"], records


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list | tuple):
        return [_rounded(x) for x in value]
    return value
