"""Files of tables as bytes of lines: gzip and Parquet are unpacked first."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import importlib.util
import json
import os
import pathlib
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from typing import IO, Any

FORMATS = ("tsv", "csv", "jsonl", "parquet")
COLUMNS = ("label", "text_a", "text_b")
_ROWS_AT_ONCE = 1024
# How files begin that are no lines of text, whatever their names say.
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a zip archive, or a spreadsheet",
    b"PAR1": "Parquet",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"SQLite format 3\x00": "SQLite",
    b"ARROW1": "Arrow",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def format_of(path: str | os.PathLike[str], format: str | None = None) -> str:
    """The given format, or the one that the extension names.

    Args:
        path: the file; behind the extension may stand `.gz`.
        format: of `FORMATS`, or None.

    Raises:
        ValueError: it is none of them.
    """
    name = _suffix(path)[1:] if format is None else format
    if name not in FORMATS:
        raise ValueError(
            f"{path}: `format` must be one of {FORMATS}. Received: "
            f"{name!r}. Rename the file or pass `format`."
        )
    return name


def is_lines(path: str | os.PathLike[str]) -> bool:
    """Whether a name means one text a line: `.txt`, or no extension."""
    return _suffix(path) in ("", ".txt")


def unpacked(path: pathlib.Path, format: str) -> _Named | _Temporary:
    """The file itself, or a temporary one that holds its lines.

    Args:
        path: the file; it may be larger than memory.
        format: of `FORMATS`, or any other for lines.

    Returns:
        an object whose `name` is a path; what it holds is there as long as
        the object. Parquet becomes JSONL, a row a line.

    Raises:
        ModuleNotFoundError: Parquet needs pyarrow, which is not installed.
        ValueError: the file is of another kind than its name says, or not
            whole.
    """
    if format == "parquet":
        return _from_parquet(path)
    if path.suffix.lower() == ".gz":
        return _from_gzip(path)
    with path.open("rb") as file:
        _check_magic(file, path)
    return _Named(str(path))


class _Named:
    """A file that is not ours to remove."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Temporary:
    """A file that goes with this object."""

    def __init__(self, suffix: str) -> None:
        descriptor, self.name = tempfile.mkstemp(suffix, "fastbert-")
        os.close(descriptor)
        weakref.finalize(self, pathlib.Path(self.name).unlink)


def _suffix(path: str | os.PathLike[str]) -> str:
    path = pathlib.Path(path)
    if path.suffix.lower() == ".gz":
        path = path.with_suffix("")
    return path.suffix.lower()


def _check_magic(file: IO[bytes], path: pathlib.Path) -> None:
    start = file.read(16)
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            raise ValueError(
                f"{path} is no text. Received: {kind}. Expected UTF-8, or a "
                "file whose name says what it is: .tsv, .csv, .jsonl, .txt, "
                "each also with .gz behind it, or .parquet."
            )


def _from_gzip(path: pathlib.Path) -> _Temporary:
    unpacked = _Temporary(".lines")
    try:
        with gzip.open(path) as source, open(unpacked.name, "wb") as target:
            shutil.copyfileobj(source, target)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} is not a whole gzip file: {error}. Check that the file "
            "was written completely."
        ) from error
    with open(unpacked.name, "rb") as file:
        _check_magic(file, path)
    return unpacked


def _from_parquet(path: pathlib.Path) -> _Temporary:
    unpacked = _Temporary(".jsonl")
    with _opened(path) as file, open(unpacked.name, "w") as target:
        names = _checked_columns(file.schema_arrow, path)
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=names):
            for row in batch.to_pylist():
                target.write(f"{json.dumps(row)}\n")
    return unpacked


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Any]:
    arrow = _imported("pyarrow")
    try:
        with _imported("pyarrow.parquet").ParquetFile(path) as file:
            yield file
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a whole Parquet file of strings: {error}. Check "
            "that the file was written completely."
        ) from error


def _checked_columns(schema: Any, path: pathlib.Path) -> list[str]:
    """Those that are read, each once and of a kind that JSON lines have."""
    names = [name for name in COLUMNS if name in schema.names]
    for name in names:
        kinds = [field.type for field in schema if field.name == name]
        if len(kinds) > 1 or not _is_read(kinds[0], name):
            raise ValueError(
                f"{path}: received {name!r} as {', '.join(map(str, kinds))}, "
                "expected one column of strings. Convert the file."
            )
    if not names:
        raise ValueError(
            f"{path}: received the columns {schema.names}, expected "
            "['text_a'] as well. Add what is missing."
        )
    return names


def _is_read(kind: Any, name: str) -> bool:
    types = _imported("pyarrow").types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if name == "label" and types.is_integer(kind):
        return True
    return types.is_string(kind) or types.is_large_string(kind)


def _imported(name: str) -> Any:
    if importlib.util.find_spec("pyarrow") is None:
        raise ModuleNotFoundError(
            "Parquet files need pyarrow, which is not installed. Run `pip "
            "install 'fastbert-tf[parquet]'`, or convert the file to TSV."
        )
    return importlib.import_module(name)
