"""`RowIndex`: where the rows of a table are, for shuffled streaming."""

from __future__ import annotations

import dataclasses
import os
from array import array
from collections.abc import Iterator

import numpy as np

from ..text.preprocessor import TextPreprocessor
from ..text.texts import encode_text
from .table_formats import Record
from .tables import Row, TableReader, sort_labels

_MEASURED_AT_ONCE = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class RowIndex:
    """Places and labels of the good rows of one file.

    Args:
        reader: `TableReader` that has read the file.
        labels: tuple of str, the class names; empty without labels.
        starts: int64 `[N]`, first byte of each row.
        sizes: int64 `[N]`, bytes of each row.
        label_ids: int32 `[N]`; empty without labels.
        lengths: int32 `[N]`, tokens of each row; empty if not measured.
        version: size and modification time of the file.
    """

    reader: TableReader
    labels: tuple[str, ...]
    starts: np.ndarray
    sizes: np.ndarray
    label_ids: np.ndarray
    lengths: np.ndarray
    version: tuple[int, int]

    @property
    def num_rows(self) -> int:
        return len(self.starts)

    def read(self, batches: list[np.ndarray]) -> Iterator[tuple]:
        """Yields the texts of each batch of row numbers, from the file.

        A batch is `(texts,)` or `(texts, pairs)`, arrays of bytes, and its
        label ids (int32) last where there are labels.
        """
        with open(self.reader.source, "rb") as file:
            if _version(self.reader.path) != self.version:
                raise ValueError(
                    f"{self.reader.path} has changed since it was checked. "
                    "Load the dataset again."
                )
            for rows in batches:
                texts = [self._read_row(file.fileno(), row) for row in rows]
                columns = [_column(texts, "text_a")]
                if self.reader.pairs:
                    columns.append(_column(texts, "text_b"))
                if self.labels:
                    columns.append(self.label_ids[rows])
                yield tuple(columns)

    def _read_row(self, descriptor: int, row: int) -> Row:
        start, size = int(self.starts[row]), int(self.sizes[row])
        data = os.pread(descriptor, size, start)
        return self.reader.parse(Record(0, start, data))


def index_rows(
    reader: TableReader,
    labels: list[str] | None = None,
    preprocessor: TextPreprocessor | None = None,
    max_bad_rows: int = 0,
    bad_rows_path: str | os.PathLike | None = None,
) -> RowIndex:
    """Reads a file once, checks every row and notes its place.

    Args:
        reader: `TableReader`.
        labels: list of str, the class names allowed; by default those found.
        preprocessor: measures the rows' lengths if it is given.
        max_bad_rows: see `TableReader.rows`.
        bad_rows_path: see `TableReader.rows`.

    Raises:
        ValueError: naming file and line, if a row or a label is refused.
    """
    version = _version(reader.path)
    known = {} if labels is None else _checked_labels(labels)
    starts, sizes, ids = array("q"), array("q"), array("i")
    measured = _Lengths(preprocessor)
    for row in reader.rows(max_bad_rows, bad_rows_path):
        starts.append(row.start)
        sizes.append(row.size)
        measured.add(row)
        if reader.labelled and labels is None:
            ids.append(known.setdefault(row.label, len(known)))
        elif reader.labelled:
            ids.append(_known_id(row, known, reader.path))
    names = list(known) if reader.labelled else []
    label_ids = np.array(ids, np.int32)
    if reader.labelled and labels is None:
        names = sort_labels(known, reader.path)
        places = [names.index(name) for name in known]
        label_ids = np.array(places, np.int32)[label_ids]
    return RowIndex(
        reader=reader,
        labels=tuple(names),
        starts=np.array(starts, np.int64),
        sizes=np.array(sizes, np.int64),
        label_ids=label_ids,
        lengths=measured.finish(),
        version=version,
    )


class _Lengths:
    """Counts tokens, many rows at once, if there is a preprocessor."""

    def __init__(self, preprocessor: TextPreprocessor | None) -> None:
        self._preprocessor = preprocessor
        self._rows = []
        self._lengths = array("i")

    def add(self, row: Row) -> None:
        if self._preprocessor is not None:
            self._rows.append(row)
        if len(self._rows) == _MEASURED_AT_ONCE:
            self.finish()

    def finish(self) -> np.ndarray:
        if self._rows:
            texts = [_column(self._rows, "text_a")]
            if self._rows[0].text_b is not None:
                texts.append(_column(self._rows, "text_b"))
            mask = self._preprocessor(*texts)["padding_mask"]
            self._lengths.extend(mask.numpy().sum(axis=1).tolist())
            self._rows.clear()
        return np.array(self._lengths, np.int32)


def _checked_labels(labels: list[str]) -> dict[str, int]:
    names = list(labels)
    strings = all(isinstance(name, str) for name in names)
    if not strings or len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(
            "`labels` must be two or more different strings. Received: "
            f"labels={names}. Pass what `read_labels` gives for the "
            "training file."
        )
    return {name: place for place, name in enumerate(names)}


def _known_id(row: Row, known: dict[str, int], path: os.PathLike) -> int:
    if row.label not in known:
        raise ValueError(
            f"{path}, line {row.line}: received the label {row.label!r}, "
            f"expected one of {list(known)}. Correct the row, or train with "
            "all labels."
        )
    return known[row.label]


def _column(rows: list[Row], name: str) -> np.ndarray:
    column = np.empty([len(rows)], object)
    column[:] = [encode_text(getattr(row, name)) for row in rows]
    return column


def _version(file: os.PathLike | int) -> tuple[int, int]:
    status = os.stat(file)
    return status.st_size, status.st_mtime_ns
