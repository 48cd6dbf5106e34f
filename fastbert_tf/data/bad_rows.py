"""`BadRows`: rows of a table that are set aside, up to a limit."""

from __future__ import annotations

import json
import os
from typing import Self

from .table_formats import Record


class BadRows:
    """Counts bad rows and writes them aside, up to a limit."""

    def __init__(
        self,
        table: str | os.PathLike,
        limit: int,
        path: str | os.PathLike | None,
    ) -> None:
        if limit < 0 or (limit and path is None):
            raise ValueError(
                "`max_bad_rows` must not be negative and needs a "
                f"`bad_rows_path`. Received: max_bad_rows={limit}, "
                f"bad_rows_path={path}. Pass both or none."
            )
        if path and os.path.exists(path) and _is_same(path, table):
            raise ValueError(
                "`bad_rows_path` must not be the table itself. Received: "
                f"bad_rows_path={path}. Choose another file."
            )
        self._table = table
        self._limit = limit
        self._path = path
        self._count = 0
        self._file = None

    def __enter__(self) -> Self:
        if self._limit:
            self._file = open(self._path, "w", encoding="utf-8")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, record: Record, reason: str) -> None:
        self._count += 1
        if self._count > self._limit:
            allowed = f" after {self._limit} others" if self._limit else ""
            raise ValueError(
                f"{self._table}, line {record.line}: {reason} (bad row"
                f"{allowed}; `max_bad_rows` sets rows aside.)"
            )
        content = record.data.decode("utf-8", "replace").rstrip("\r\n")
        entry = {"line": record.line, "reason": reason, "content": content}
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _is_same(path: str | os.PathLike, table: str | os.PathLike) -> bool:
    return os.path.exists(table) and os.path.samefile(path, table)
