"""The Beam pipeline: files, rows by length, calls, answers, files."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import pyarrow
from apache_beam.ml.inference.base import RunInference

from .model_handler import BundleHandler
from .texts import BAD_ROWS, Example, ReadTexts, grouped

FORMATS = ("jsonl", "parquet")
# Share of a call's time that batches which are not full may add.
MAX_OVERHEAD = 0.05


@dataclasses.dataclass(frozen=True)
class Output:
    """The files of answers.

    Args:
        format: str of `FORMATS`.
        num_shards: int, how many; 0 leaves it to the runner.
    """

    format: str
    num_shards: int

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(
                f"`output_format` must be one of {FORMATS}. Received: "
                f"{self.format!r}."
            )
        if self.num_shards < 0:
            raise ValueError(
                "`num_shards` must be 0 or more. Received: "
                f"num_shards={self.num_shards}. Pass 0 for any number."
            )


def add_scoring(
    pipeline: beam.Pipeline,
    files: Sequence[str],
    handler: BundleHandler,
    max_bad_rows: int,
    output: Output,
    folder: str,
) -> None:
    """Adds the transforms that answer every row of some files.

    Args:
        pipeline: `beam.Pipeline`, which is not run.
        files: paths to read.
        handler: `BundleHandler`.
        max_bad_rows: int, of each file, to be written aside.
        output: `Output`.
        folder: str, where the files are written.
    """
    manifest = handler.manifest
    reader = ReadTexts(handler.bundle_dir, manifest, max_bad_rows)
    examples, bad_rows = (
        pipeline
        | "Paths" >> beam.Create(files)
        | "Spread files" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(reader).with_outputs(BAD_ROWS, main="examples")
    )
    max_rows = rows_per_call(len(manifest.plan.exits), handler.max_batch_size)
    answers = (
        examples
        | "By length" >> beam.GroupByKey()
        | "Calls" >> beam.FlatMap(_calls, max_rows)
        | "Spread calls" >> beam.Reshuffle()
        | "Answer" >> RunInference(handler.with_no_batching())
    )
    prefix = os.path.join(folder, "scores")
    if output.format == "jsonl":
        _write_lines(answers, prefix, output.num_shards)
    else:
        schema = output_schema(has_labels=manifest.labels is not None)
        _write_parquet(answers, prefix, output.num_shards, schema)
    if max_bad_rows:
        _write_lines(bad_rows, os.path.join(folder, BAD_ROWS), 1)


def rows_per_call(num_exits: int, max_batch_size: int) -> int:
    """The fewest rows of one length that keep a pool's overhead small.

    Of N rows at most one batch a segment is not full, so that
    `num_exits * max_batch_size / (N * mean depth)` bounds what those add over
    full batches alone. N is such that this is `MAX_OVERHEAD` at a mean depth
    of 1, the least there is.

    Args:
        num_exits: int, L.
        max_batch_size: int, rows that run together.
    """
    return math.ceil(num_exits * max_batch_size / MAX_OVERHEAD)


def output_schema(has_labels: bool) -> pyarrow.Schema:
    """The columns of a Parquet file of records; null is what a row lacks."""
    number = pyarrow.float64()
    return pyarrow.schema(
        {
            "file": pyarrow.string(),
            "line": pyarrow.int64(),
            "label": pyarrow.string() if has_labels else pyarrow.int32(),
            "probability": number,
            "probabilities": pyarrow.list_(number),
            "uncertainty": number,
            "exit_index": pyarrow.int32(),
            "truncated": pyarrow.bool_(),
            "error": pyarrow.string(),
        }
    )


def _calls(
    element: tuple[Any, Iterable[Example]], max_rows: int
) -> Iterator[list[Example]]:
    return grouped(element[1], max_rows)


def _write_lines(records: beam.PCollection, prefix: str, shards: int) -> None:
    name = os.path.basename(prefix)
    lines = records | f"{name} as JSON" >> beam.Map(_to_json)
    _ = lines | f"Write {name}" >> beam.io.WriteToText(
        prefix, ".jsonl", num_shards=shards
    )


def _to_json(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False)


def _write_parquet(
    records: beam.PCollection, prefix: str, shards: int, schema: pyarrow.Schema
) -> None:
    rows = records | "All columns" >> beam.Map(_filled, schema.names)
    _ = rows | "Write scores" >> beam.io.WriteToParquet(
        prefix,
        schema,
        codec="snappy",
        file_name_suffix=".parquet",
        num_shards=shards,
    )


def _filled(record: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: record.get(name) for name in names}
