"""`read_texts`: texts without labels, from a table or one a line."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

from .bad_rows import BadRows
from .sources import FORMATS, format_of, is_lines, unpacked
from .table_formats import Record, RowError, decode
from .tables import Row, TableReader


def read_texts(
    path: str | os.PathLike[str],
    pairs: bool | None = None,
    max_bad_rows: int = 0,
    bad_rows_path: str | os.PathLike[str] | None = None,
) -> Iterator[Row]:
    """The texts of a file, read as they are asked for.

    A table is read by `TableReader`. `-` is standard input; it, `.txt` and
    names without an extension hold one text a line, UTF-8 without NUL.

    Args:
        path: the file; behind its extension may stand `.gz`.
        pairs: bool, whether pairs of texts are needed or refused; None takes
            what is there.
        max_bad_rows, bad_rows_path: as of `TableReader.rows`.

    Returns:
        iterator of rows without labels. The file is looked at now; what is
        wrong with a row is told when it is reached.

    Raises:
        FileNotFoundError: there is no file.
        ModuleNotFoundError: Parquet needs pyarrow, which is not installed.
        ValueError: the kind of the file is not known, or lines are asked for
            pairs; naming file and line, a row is refused.
    """
    path = os.fspath(path)
    if path != "-" and not os.path.isfile(path):
        raise FileNotFoundError(
            f"No input at {path}. Expected a file, or - for stdin. Check the "
            "path."
        )
    if path == "-" or is_lines(path):
        if pairs:
            raise ValueError(
                "The model was trained on pairs of texts. Received: "
                f"{path}, one text a line. Pass a TSV, CSV, JSONL or Parquet "
                "file with `text_a` and `text_b`."
            )
        return _lines(path, BadRows(path, max_bad_rows, bad_rows_path))
    _check_kind(path)
    reader = TableReader(path, labelled=False, pairs=pairs)
    BadRows(path, max_bad_rows, bad_rows_path)  # Refuses them now.
    return reader.rows(max_bad_rows, bad_rows_path)


def _check_kind(path: str) -> None:
    try:
        format_of(path)
    except ValueError as error:
        raise ValueError(
            f"{path} is of a kind that is not known. Expected: "
            f"{', '.join(f'.{x}' for x in FORMATS)}, or one text a line in "
            ".txt, without an extension or from stdin (-); text files also "
            "with .gz behind. Convert or rename it."
        ) from error


def _lines(path: str, bad_rows: BadRows) -> Iterator[Row]:
    if path == "-":
        return _rows(sys.stdin.buffer, bad_rows)
    return _file_rows(unpacked(pathlib.Path(path), "txt"), bad_rows)


def _file_rows(source: Any, bad_rows: BadRows) -> Iterator[Row]:
    with open(source.name, "rb") as file:
        yield from _rows(file, bad_rows)


def _rows(file: Any, bad_rows: BadRows) -> Iterator[Row]:
    start = 0
    with bad_rows:
        for number, data in enumerate(file, start=1):
            record = Record(number, start, data)
            start += len(data)
            try:
                text = _text(record)
            except RowError as error:
                bad_rows.add(record, str(error))
            else:
                yield Row(number, None, text, None, record.start, len(data))


def _text(record: Record) -> str:
    text = decode(record)
    if "\0" in text:
        raise RowError(
            "received a NUL character, expected text. If the file is a "
            "table or compressed, name it so."
        )
    return text
