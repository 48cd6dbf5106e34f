"""`score`: the answers to a corpus, by a pipeline of Apache Beam."""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Iterator, Sequence

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineState

from fastbert_tf import check_speed
from fastbert_tf.files import check_replaceable, replaced_folder

from ..bundle.manifest import read_bundle_manifest
from .file_systems import absolute, check_new, is_remote, matched_files
from .lost_workers import watch_workers
from .model_handler import DEPTH, NAMESPACE, BundleHandler
from .pipeline import Output, add_scoring

SUMMARY_FILE = "scores.json"
# The direct runner, without the download of another that `DirectRunner` tries.
_DEFAULT_RUNNER = "--runner=FnApiRunner"
_EXCEPTION = re.compile(
    r"^(\w+): (.*?)(?: \[while running '.*'\])?$", re.MULTILINE
)


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run did, as `scores.json` keeps it beside the answers.

    Args:
        num_rows: int, rows answered.
        num_bad_rows: int, rows set aside.
        mean_depth: float, blocks a row went through; 0 for no rows.
        speed: float, the threshold it ran with.
    """

    num_rows: int
    num_bad_rows: int
    mean_depth: float
    speed: float


def score(
    bundle_dir: str,
    input_path: str,
    output_path: str,
    *,
    output_format: str = "jsonl",
    speed: float | None = None,
    max_batch_size: int = 32,
    num_shards: int = 0,
    max_bad_rows: int = 0,
    beam_options: Sequence[str] = (),
) -> Summary:
    """Answers a corpus with Beam, as `fastbert-predict` would.

    Paths are of this machine, and of every worker's, or have a scheme
    (`gs://...`) that Beam knows. The folder of answers is written aside,
    synced and renamed: the output path holds the old one or the new one, and
    in it `scores.json`. On a file system with a scheme nothing is renamed,
    and `scores.json` is the last file written.

    Args:
        bundle_dir: folder of a bundle, at the same place on every worker; no
            scheme.
        input_path: a file or a pattern of files: TSV, CSV, JSONL or Parquet,
            as the extension says.
        output_path: folder to make or replace.
        output_format: str, `"jsonl"` or `"parquet"`.
        speed: float in [0, 1]; None means what the bundle says.
        max_batch_size: int, rows that run together.
        num_shards: int, files to write; 0 leaves it to the runner.
        max_bad_rows: int, malformed rows to set aside in each input file.
        beam_options: flags of Beam and of its runner; by default its direct
            runner works in this process.

    Raises:
        FileNotFoundError: there is no bundle or no input.
        TypeError, ValueError, OSError: an argument, the bundle, a row or the
            output path is refused, or a worker is lost.
    """
    paths = absolute(bundle_dir), absolute(input_path), absolute(output_path)
    bundle_dir, input_path, output_path = paths
    output = Output(output_format, num_shards)
    for name, value, lowest in (
        ("max_batch_size", max_batch_size, 1),
        ("max_bad_rows", max_bad_rows, 0),
    ):
        if value < lowest:
            raise ValueError(
                f"`{name}` must be {lowest} or more. Received: {name}={value}."
            )
    if is_remote(bundle_dir):
        raise ValueError(
            f"`bundle_dir` must be a folder. Received: {bundle_dir}. Put the "
            "bundle into the workers' image, or mount it at the same place "
            "everywhere."
        )
    manifest = read_bundle_manifest(bundle_dir)
    speed = manifest.usage.speed if speed is None else speed
    check_speed(speed, num_rows=1)
    handler = BundleHandler(bundle_dir, manifest, speed, max_batch_size)
    files = matched_files(input_path)
    with _written(output_path) as folder:
        options = PipelineOptions([_DEFAULT_RUNNER, *beam_options])
        pipeline = beam.Pipeline(options=options)
        add_scoring(pipeline, files, handler, max_bad_rows, output, folder)
        summary = _summary(_finished(pipeline), speed)
        _write_summary(summary, folder)
        return summary


@contextlib.contextmanager
def _written(path: str) -> Iterator[str]:
    """The folder to write into, in place of `path` where it is renamed."""
    if is_remote(path):
        check_new(path)
        yield path
        return
    check_replaceable(path, SUMMARY_FILE)
    with replaced_folder(path, SUMMARY_FILE) as folder:
        yield folder


def _finished(pipeline: beam.Pipeline) -> PipelineResult:
    """The result of a pipeline that ran to its end."""
    watch_workers()
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
