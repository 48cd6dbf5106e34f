"""Texts from Parquet files, row by row, checked as other tables are."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import pyarrow
import pyarrow.parquet

from .tables import Row

_ROWS_AT_ONCE = 1024


class ParquetReader:
    """Reads one file; what `TableReader` is to TSV, CSV and JSONL.

    The columns `text_a` and, for pairs, `text_b` hold strings; others are not
    read. A row's `line` is its number, counted from 1; it has no place in
    bytes.

    Args:
        path: the file; it may be larger than memory.
        pairs: bool, whether `text_b` is needed or refused; None leaves it to
            the columns.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: it is not whole, or lacks a column.
    """

    def __init__(
        self, path: str | os.PathLike[str], pairs: bool | None = None
    ) -> None:
        self.path = pathlib.Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(
                f"No table at {self.path}. Expected a Parquet file. Check "
                "the path."
            )
        with self._opened() as file:
            self.pairs = _checked_pairs(file.schema_arrow, pairs, self.path)

    def rows(
        self,
        max_bad_rows: int = 0,
        bad_rows_path: str | os.PathLike[str] | None = None,
    ) -> Iterator[Row]:
        """Yields every row whose texts are there.

        Args:
            max_bad_rows: int. So many rows without a text are left out.
            bad_rows_path: they are written to it as JSON lines with `line`,
                `reason` and `content`; needed with `max_bad_rows`.

        Raises:
            ValueError: naming file and row, at the first bad row beyond
                `max_bad_rows`, or when there is no row.
        """
        num_rows = num_bad = 0
        with contextlib.ExitStack() as stack:
            if max_bad_rows:
                aside = stack.enter_context(
                    open(bad_rows_path, "w", encoding="utf-8")
                )
            for number, values in enumerate(self._values(), start=1):
                reason = _fault(values)
                if not reason:
                    num_rows += 1
                    texts = values["text_a"], values.get("text_b")
                    yield Row(number, None, *texts, 0, 0)
                    continue
                num_bad += 1
                if num_bad > max_bad_rows:
                    raise ValueError(f"{self.path}, row {number}: {reason}")
                entry = {"line": number, "reason": reason, "content": values}
                aside.write(json.dumps(entry, ensure_ascii=False) + "\n")
        if not num_rows:
            raise ValueError(
                f"{self.path}: received 0 rows, expected at least one. "
                "Check that the file was written completely."
            )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[pyarrow.parquet.ParquetFile]:
        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                yield file
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{self.path} is not a whole Parquet file of strings: "
                f"{error}. Check that the file was written completely."
            ) from error

    def _values(self) -> Iterator[dict[str, str | None]]:
        names = _text_columns(self.pairs)
        with self._opened() as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=names):
                yield from batch.to_pylist()


def _checked_pairs(
    schema: pyarrow.Schema, pairs: bool | None, path: pathlib.Path
) -> bool:
    """The columns needed are there; whether they are pairs of texts."""
    names = schema.names
    missing = [name for name in _text_columns(pairs) if name not in names]
    if missing:
        raise ValueError(
            f"{path}: received the columns {names}, expected {missing} as "
            "well. Add what is missing, or choose the task that fits the file."
        )
    if pairs is False and "text_b" in names:
        raise ValueError(
            f"{path}: received a column 'text_b', expected single texts. "
            "Remove the column or choose a task on pairs."
        )
    pairs = "text_b" in names
    for name in _text_columns(pairs):
        kinds = [field.type for field in schema if field.name == name]
        if len(kinds) > 1 or not _holds_strings(kinds[0]):
            raise ValueError(
                f"{path}: received {name!r} as {', '.join(map(str, kinds))}, "
                "expected one column of strings. Convert the file."
            )
    return pairs


def _text_columns(pairs: bool | None) -> list[str]:
    return ["text_a", "text_b"] if pairs else ["text_a"]


def _holds_strings(kind: pyarrow.DataType) -> bool:
    types = pyarrow.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    return types.is_string(kind) or types.is_large_string(kind)


def _fault(values: dict[str, Any]) -> str:
    """What is wrong with a row, or nothing."""
    missing = [name for name, value in values.items() if value is None]
    if not missing:
        return ""
    return (
        f"received null in {missing}, expected a string. Write an empty one "
        "for a text that is blank."
    )
