"""`TableReader`: labelled texts from tables, row by row, checked.

The columns are `label`, `text_a` and, for pairs, `text_b`, in any order;
other columns are ignored. TSV and CSV need a header. TSV, CSV and JSONL may
be gzip (`.tsv.gz`); Parquet needs the extra `parquet`.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from . import table_formats
from .bad_rows import BadRows
from .sources import format_of, unpacked
from .table_formats import Record, RowError

_INTEGER = re.compile(r"-?[0-9]+")


class Row(NamedTuple):
    """One example.

    `line` is its line in the file, counted from 1, and `start` and `size`
    its place in bytes. `label` is None in unlabelled files and `text_b` None
    for single texts. A text may be empty.
    """

    line: int
    label: str | None
    text_a: str
    text_b: str | None
    start: int
    size: int


class TableReader:
    """Reads one file, which may be larger than memory.

    Keeps what the header says, so that single records can be read again by
    their place (`parse`).

    Args:
        path: the file.
        format: "tsv", "csv", "jsonl" or "parquet"; by default what the
            extension says.
        labelled: bool. Whether a `label` is needed; otherwise it is ignored.
        pairs: bool, optional. Whether `text_b` is needed or refused; by
            default the header (in JSONL the first row) decides.

    Raises:
        FileNotFoundError: there is no file.
        ModuleNotFoundError: Parquet needs pyarrow, which is not installed.
        ValueError: the format is not known, the file is of another kind than
            its name says, or not whole.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        format: str | None = None,
        labelled: bool = True,
        pairs: bool | None = None,
    ) -> None:
        self.path = pathlib.Path(path)
        self.labelled = labelled
        self.pairs = pairs
        self._header = ()
        if not self.path.is_file():
            raise FileNotFoundError(
                f"No table at {self.path}. Expected a TSV, CSV, JSONL or "
                "Parquet file. Check the path."
            )
        format = format_of(self.path, format)
        self._source = unpacked(self.path, format)
        # Parquet is unpacked to JSON lines, a row a line.
        self.format = "jsonl" if format == "parquet" else format

    @property
    def source(self) -> str:
        """The path whose bytes are read: the file, or it unpacked."""
        return self._source.name

    def rows(
        self,
        max_bad_rows: int = 0,
        bad_rows_path: str | os.PathLike | None = None,
    ) -> Iterator[Row]:
        """Yields every good row as it reads them.

        Args:
            max_bad_rows: int. So many rows that cannot be read are left out
                and written to `bad_rows_path`; one more is an error.
            bad_rows_path: this file is written anew, as JSON lines with
                `line`, `reason` and `content`; needed with `max_bad_rows`.

        Raises:
            ValueError: naming file and line, at the first row (beyond
                `max_bad_rows`) that cannot be read, or when there is no row.
        """
        bad_rows = BadRows(self.path, max_bad_rows, bad_rows_path)
        num_rows = 0
        with bad_rows:
            for record in self._body():
                try:
                    row = self.parse(record)
                except RowError as error:
                    bad_rows.add(record, self._explain(record, error))
                    continue
                num_rows += 1
                yield row
        if not num_rows:
            raise ValueError(
                f"{self.path}: received 0 rows, expected at least one. "
                "Check that the file was written completely."
            )

    def parse(self, record: Record) -> Row:
        """One record as a row; raises `RowError` without file and line."""
        text = table_formats.decode(record)
        fields = table_formats.named_fields(text, self.format, self._header)
        if self.format == "jsonl":
            self._check_columns(tuple(fields))
        label = fields["label"].strip() if self.labelled else None
        if label == "":
            raise RowError(
                "received a blank label, expected a name or an integer. "
                "Fill it in or remove the row."
            )
        return Row(
            record.line,
            label,
            fields["text_a"],
            fields["text_b"] if self.pairs else None,
            record.start,
            len(record.data),
        )

    def _body(self) -> Iterator[Record]:
        body = table_formats.records(self.source, self.format)
        if self.format == "jsonl":
            yield from body
            return
        record = next(body, None)
        if record is None:
            raise ValueError(
                f"{self.path}: received an empty file, expected a header. "
                "Check that the file was written completely."
            )
        try:
            self._header = table_formats.read_header(record, self.format)
            self._check_columns(self._header)
        except RowError as error:
            raise ValueError(f"{self.path}, line 1: {error}") from error
        yield from body

    def _check_columns(self, names: tuple[str, ...]) -> None:
        """The columns needed are there; decides once whether it is pairs."""
        needed = ["text_a"]
        needed += ["label"] if self.labelled else []
        needed += ["text_b"] if self.pairs else []
        missing = [name for name in needed if name not in names]
        if missing:
            raise RowError(
                f"received the columns {list(names)}, expected {missing} as "
                "well. Add what is missing, or choose the task that fits "
                "the file."
            )
        if self.pairs is None:
            self.pairs = "text_b" in names
        elif not self.pairs and "text_b" in names:
            raise RowError(
                "received a column 'text_b', expected single texts. Remove "
                "the column or choose a task on pairs."
            )

    def _explain(self, record: Record, error: RowError) -> str:
        reason = str(error)
        if not record.data.endswith(b"\n"):
            reason += (
                " It is the last line and has no line end: the file may "
                "be truncated."
            )
        return reason


def read_labels(
    path: str | os.PathLike,
    format: str | None = None,
    max_bad_rows: int = 0,
    bad_rows_path: str | os.PathLike | None = None,
) -> list[str]:
    """The label names of a file, in the order of their class ids."""
    reader = TableReader(path, format)
    rows = reader.rows(max_bad_rows, bad_rows_path)
    return sort_labels({row.label for row in rows}, path)


def holds_pairs(
    path: str | os.PathLike,
    format: str | None = None,
    max_bad_rows: int = 0,
    bad_rows_path: str | os.PathLike | None = None,
) -> bool:
    """Whether a file is of pairs of texts; it is read up to a good row."""
    rows = TableReader(path, format, labelled=False).rows(
        max_bad_rows, bad_rows_path
    )
    return next(rows).text_b is not None


def sort_labels(labels: Iterable[str], path: str | os.PathLike) -> list[str]:
    """Integers by value, which must be 0..C-1; other names by spelling."""
    names = sorted(labels)
    if len(names) < 2:
        raise ValueError(
            f"{path}: received the labels {names}, expected two classes or "
            "more. Check the `label` column."
        )
    if not all(_INTEGER.fullmatch(name) for name in names):
        return names
    names.sort(key=int)
    expected = [str(place) for place in range(len(names))]
    if names != expected:
        raise ValueError(
            f"{path}: received the labels {names}, expected {expected}. "
            "Number the classes from 0 without gaps, or name them."
        )
    return names
