"""The pipeline: files, texts, calls of rows of one length, records, files."""

from __future__ import annotations

import builtins
import dataclasses
import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import pyarrow
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import MetricsFilter
from apache_beam.ml.inference.base import RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineState

from ..bundle.manifest import BundleManifest, read_manifest
from .model_handler import DEPTH, BundleHandler
from .settings import (
    NAMESPACE,
    SUMMARY_FILE,
    Scoring,
    Summary,
    is_remote,
    rows_per_call,
)
from .texts import BAD_ROWS, ReadTexts, Text, grouped

# The direct runner, without the download of another that `DirectRunner` tries.
_DEFAULT_RUNNER = "--runner=FnApiRunner"
_EXCEPTION = re.compile(
    r"^(\w+): (.*?)(?: \[while running '.*'\])?$", re.MULTILINE
)


def run_pipeline(scoring: Scoring, folder: str) -> Summary:
    """Scores a corpus and waits for the end of it.

    Args:
        scoring: `Scoring`.
        folder: where the answers and then `scores.json` are written, in
            place of `scoring.output_path`.

    Raises:
        FileNotFoundError: there is no input.
        ValueError, OSError: what a worker refused, in its words.
    """
    manifest = read_manifest(scoring.bundle_dir)
    speed = manifest.usage.speed if scoring.speed is None else scoring.speed
    paths = _matched(scoring.input_path)
    _check_new(folder)
    options = PipelineOptions([_DEFAULT_RUNNER, *scoring.beam_options])
    pipeline = beam.Pipeline(options=options)
    texts, bad_rows = (
        pipeline
        | "Paths" >> beam.Create(paths)
        | "Spread files" >> beam.Reshuffle()
        | "Read"
        >> beam.ParDo(
            ReadTexts(scoring.bundle_dir, manifest, scoring.max_bad_rows)
        ).with_outputs(BAD_ROWS, main="texts")
    )
    handler = BundleHandler(
        scoring.bundle_dir, manifest, speed, scoring.batch_size
    )
    max_rows = rows_per_call(len(manifest.plan.exits), scoring.batch_size)
    answers = (
        texts
        | "By length" >> beam.GroupByKey()
        | "Calls" >> beam.FlatMap(_calls, max_rows)
        | "Spread calls" >> beam.Reshuffle()
        | "Answer" >> RunInference(handler.with_no_batching())
    )
    prefix = os.path.join(folder, "scores")
    if scoring.output_format == "jsonl":
        _write_lines(answers, prefix, scoring.num_shards)
    else:
        _write_parquet(answers, prefix, scoring.num_shards, manifest)
    if scoring.max_bad_rows:
        _write_lines(bad_rows, os.path.join(folder, BAD_ROWS), 1)
    summary = _summary(_finished(pipeline), speed)
    _write_summary(summary, folder)
    return summary


def _matched(pattern: str) -> list[str]:
    """The files of a pattern, in order; a file's own name is none."""
    if os.path.isfile(pattern):
        return [pattern]
    (match,) = FileSystems.match([pattern])
    paths = sorted(file.path for file in match.metadata_list)
    if not paths:
        raise FileNotFoundError(
            f"No input at {pattern}. Expected a file, or a pattern of files. "
            "Check --input_path."
        )
    return paths


def _check_new(folder: str) -> None:
    """Refuses a folder with files, where renaming cannot replace it."""
    if not is_remote(folder):
        return
    (match,) = FileSystems.match([f"{folder.rstrip('/')}/*"], limits=[1])
    if match.metadata_list:
        raise ValueError(
            f"{folder} holds {match.metadata_list[0].path}. Expected: nothing "
            "there. Remove it, or choose another path."
        )


def _calls(
    element: tuple[Any, Iterable[Text]], max_rows: int
) -> Iterator[list[Text]]:
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
    records: beam.PCollection,
    prefix: str,
    shards: int,
    manifest: BundleManifest,
) -> None:
    schema = output_schema(has_labels=manifest.labels is not None)
    rows = records | "All columns" >> beam.Map(_filled, schema.names)
    _ = rows | "Write scores" >> beam.io.WriteToParquet(
        prefix,
        schema,
        codec="snappy",
        file_name_suffix=".parquet",
        num_shards=shards,
    )


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


def _filled(record: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: record.get(name) for name in names}


def _finished(pipeline: beam.Pipeline) -> PipelineResult:
    try:
        result = pipeline.run()
        state = result.wait_until_finish()
    except (RuntimeError, ValueError, OSError) as error:
        raise _mistake(error) from error
    if state != PipelineState.DONE:
        raise ValueError(
            f"The runner ended with the state {state}. Expected: DONE. Its "
            "own log says why."
        )
    return result


def _mistake(error: Exception) -> Exception:
    """What a worker raised, where it was the input's or the disk's fault.

    Runners add where it was, or tell of it with tracebacks in the text of an
    error of their own.
    """
    told = f"{type(error).__name__}: {error}"
    name, message = _EXCEPTION.findall(told)[-1]
    kind = getattr(builtins, name, object)
    for mistake in (ValueError, OSError):
        if isinstance(kind, type) and issubclass(kind, mistake):
            return mistake(message)
    return error


def _summary(result: PipelineResult, speed: float) -> Summary:
    query = MetricsFilter().with_namespace(NAMESPACE)
    found = result.metrics().query(query)
    depths = [
        x.result for x in found["distributions"] if x.key.metric.name == DEPTH
    ]
    num_rows = sum(depth.count for depth in depths)
    blocks = sum(depth.sum for depth in depths)
    num_bad = sum(x.result for x in found["counters"])
    return Summary(num_rows, num_bad, blocks / max(num_rows, 1), speed)


def _write_summary(summary: Summary, folder: str) -> None:
    text = json.dumps(dataclasses.asdict(summary)) + "\n"
    with FileSystems.create(os.path.join(folder, SUMMARY_FILE)) as file:
        file.write(text.encode())
