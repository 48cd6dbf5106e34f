"""Records of TSV, CSV and JSONL files: from bytes to named fields.

A record is one line, or in CSV the lines between which a quote stays open.
Lines end with a line feed, with or without a carriage return before it; no
other character parts lines. TSV is read as the official FastBERT code reads
it: split at tabs, quotes are text.
"""

from __future__ import annotations

import codecs
import json
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from .sources import COLUMNS

_DELIMITERS = {"tsv": "\t", "csv": ","}
# One CSV field and what ends it. The csv module is not used because its limit
# on the length of a field can only be raised for the whole process.
_CSV_FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",]*))(,|\Z)')


class Record(NamedTuple):
    """Where a record is: first line (from 1), first byte, and its bytes."""

    line: int
    start: int
    data: bytes


class RowError(ValueError):
    """What is wrong with one record; the reader adds file and line."""


def records(path: str | os.PathLike[str], format: str) -> Iterator[Record]:
    """Reads the records of a file one after another, the header too."""
    with open(path, "rb") as file:
        first, start, pending, is_open = 1, 0, [], False
        for line, data in enumerate(file, start=1):
            pending.append(data)
            if format == "csv":
                is_open ^= data.count(b'"') % 2 == 1
            if not is_open:
                whole = b"".join(pending)
                yield Record(first, start, whole)
                first, start, pending = line + 1, start + len(whole), []
        if pending:
            yield Record(first, start, b"".join(pending))


def decode(record: Record) -> str:
    """The record's text, without its line end and byte order mark."""
    data = record.data
    if record.start == 0:
        data = data.removeprefix(codecs.BOM_UTF8)
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowError(
            f"received bytes that are not UTF-8 ({error.reason} at byte "
            f"{error.start}), expected UTF-8. Convert the file, for example "
            "with `iconv`."
        ) from error


def split_fields(text: str, format: str) -> list[str]:
    """The fields of a TSV or CSV record."""
    if format == "tsv":
        return text.split("\t")
    fields, place = [], 0
    while True:
        match = _CSV_FIELD.match(text, place)
        if match is None:
            raise RowError(
                f"received a quote in the wrong place or not closed (at "
                f"character {place + 1}), expected fields quoted as in RFC "
                '4180. Double each " inside a quoted field.'
            )
        quoted, plain, end = match.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        place = match.end()
        if not end:
            return fields


def read_header(record: Record, format: str) -> tuple[str, ...]:
    """Column names of a TSV or CSV file, each present once."""
    text = decode(record)
    names = split_fields(text, format)
    _check_delimiter(text, names, format)
    for name in names:
        plain = name.strip().lower()
        if name not in COLUMNS and plain in (*COLUMNS, ""):
            raise RowError(
                f"received the column {name!r}, expected names such as "
                f"{list(COLUMNS)}. Correct the header."
            )
        if names.count(name) > 1:
            raise RowError(
                f"received the column {name!r} {names.count(name)} times, "
                "expected each once. Correct the header."
            )
    return tuple(names)


def _check_delimiter(text: str, names: list[str], format: str) -> None:
    if set(names) & set(COLUMNS):
        return
    for delimiter in ("\t", ",", ";", "|", " "):
        found = [part.strip('" ') for part in text.split(delimiter)]
        if set(found) & set(COLUMNS):
            expected = _DELIMITERS[format]
            raise RowError(
                f"received a header parted by {delimiter!r}, expected "
                f"{expected!r} in a {format} file. Pass the right `format` "
                "or convert the file."
            )


def named_fields(
    text: str, format: str, header: tuple[str, ...]
) -> dict[str, str]:
    """The fields of one record by column name."""
    if format == "jsonl":
        return _json_fields(text)
    fields = split_fields(text, format)
    if len(fields) != len(header):
        raise RowError(
            f"received {len(fields)} fields, expected {len(header)} "
            f"({', '.join(header)}). Look for a missing or an extra "
            "delimiter, or a line break inside a text."
        )
    return dict(zip(header, fields, strict=True))


def _json_fields(text: str) -> dict[str, str]:
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys)
    except RowError:
        raise
    except (ValueError, RecursionError) as error:
        raise RowError(
            f"received a line that is not JSON ({error}), expected one "
            "object a line. Correct the line."
        ) from error
    if not isinstance(value, dict):
        raise RowError(
            f"received a JSON {type(value).__name__}, expected an object. "
            "Correct the line."
        )
    label = value.get("label")
    if isinstance(label, int) and not isinstance(label, bool):
        value["label"] = str(label)
    for name in COLUMNS:
        if not isinstance(value.get(name, ""), str):
            raise RowError(
                f"received {name}={value[name]!r}, expected a string"
                f"{' or an integer' if name == 'label' else ''}. Correct "
                "the line."
            )
    return value


def _unique_keys(pairs: list[tuple]) -> dict:
    names = [name for name, _ in pairs]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise RowError(
            f"received the keys {doubled} more than once, expected each "
            "once. Correct the line."
        )
    return dict(pairs)
