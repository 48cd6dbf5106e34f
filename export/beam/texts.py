"""Reading of a corpus: the rows of its files, keyed by their length."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from fastbert_tf.data import read_texts
from fastbert_tf.segments import bucket_lengths, row_lengths
from fastbert_tf.text import encode_text

from ..bundle.bundle import load_preprocessor
from ..bundle.manifest import BundleManifest
from .file_systems import local_copy

BAD_ROWS = "bad_rows"
NAMESPACE = "fastbert"  # Of the counters that a run keeps.
# Rows whose tokens are counted at once, and bytes of text held together.
_ROWS_AT_ONCE, _MAX_BYTES = 1024, 1 << 26


class Example(NamedTuple):
    """One row of a corpus.

    `line` is its line in the file, in Parquet its row, counted from 1. Texts
    are UTF-8 (a lone surrogate is what it was, which is not UTF-8), and
    `text_b` is None for single texts.
    """

    file: str
    line: int
    text_a: bytes
    text_b: bytes | None

    @property
    def num_bytes(self) -> int:
        """Of both texts."""
        return len(self.text_a) + len(self.text_b or b"")


class ReadTexts(beam.DoFn):
    """From the path of a file to its rows, by the project's rules of tables.

    Beam's own text source splits files at line ends, wherever a worker
    happens to begin. A row of CSV may hold line ends, a header is needed to
    read any row of it, and a bad row is reported with its line, so one
    element is a whole file: a corpus is spread over workers by being in
    several.

    Yields `((is_pair, length), text)`, `length` being what the row is padded
    to, and under the tag `BAD_ROWS` what was set aside, as dicts.

    Args:
        bundle_dir: str, with the preprocessor that counts tokens.
        manifest: `BundleManifest`.
        max_bad_rows: int, rows of a file that may be set aside.
    """

    def __init__(
        self, bundle_dir: str, manifest: BundleManifest, max_bad_rows: int
    ) -> None:
        super().__init__()
        self._bundle_dir = bundle_dir
        self._pairs = manifest.usage.pairs
        self._longest = manifest.config.max_position_embeddings
        self._max_bad_rows = max_bad_rows

    def setup(self) -> None:
        self._preprocessor = load_preprocessor(self._bundle_dir)

    def process(self, path: str) -> Iterator[Any]:
        with (
            local_copy(path) as local,
            tempfile.TemporaryDirectory() as folder,
        ):
            aside = os.path.join(folder, "bad_rows.jsonl")
            rows = read_texts(local, self._pairs, self._max_bad_rows, aside)
            texts = (
                Example(path, row.line, *_encoded(row.text_a, row.text_b))
                for row in rows
            )
            for group in grouped(texts, _ROWS_AT_ONCE):
                yield from zip(self._keys(group), group, strict=True)
            for record in _records(aside):
                Metrics.counter(NAMESPACE, BAD_ROWS).inc()
                yield TaggedOutput(BAD_ROWS, {"file": path, **record})

    def _keys(self, group: list[Example]) -> list[tuple[bool, int]]:
        is_pair = group[0].text_b is not None
        mask = self._preprocessor(*columns(group))["padding_mask"].numpy()
        lengths = bucket_lengths(row_lengths(mask), self._longest)
        return [(is_pair, length) for length in lengths.tolist()]


def columns(texts: list[Example]) -> list[list[bytes]]:
    """The first texts and, for pairs, the second ones."""
    firsts = [text.text_a for text in texts]
    if texts[0].text_b is None:
        return [firsts]
    return [firsts, [text.text_b for text in texts]]


def grouped(texts: Iterable[Example], max_rows: int) -> Iterator[list[Example]]:
    """Texts in lists, of `max_rows` unless they are very long."""
    group, num_bytes = [], 0
    for text in texts:
        group.append(text)
        num_bytes += text.num_bytes
        if len(group) == max_rows or num_bytes >= _MAX_BYTES:
            yield group
            group, num_bytes = [], 0
    if group:
        yield group


def _encoded(*texts: str | None) -> Iterator[bytes | None]:
    return (None if text is None else encode_text(text) for text in texts)


def _records(path: str) -> Iterator[dict[str, Any]]:
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            yield from map(json.loads, file)
