"""What does a trained FastBERT say to these texts, and how early?

    fastbert-predict --model_dir=model/ --input_path=texts.tsv \\
        --output_path=answers.jsonl --speed=0.5
    echo "a text" | fastbert-predict --bundle_dir=bundle/

Writes one JSON object a row, in the order of the input: `label`,
`probability` (of that label), `probabilities` (in the order of the labels),
`uncertainty` (0 certain, 1 uniform), `exit_index` (0 for M0; depth is one
more) and `truncated` (the text was longer than the model reads). A row whose
numbers overflow has `error` in place of an answer. Progress goes to stderr.
A bundle of `fastbert-export` answers as the model it was made of.
"""

import contextlib
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TextIO

from absl import app, flags

from fastbert_tf import (
    FastBertClassifier,
    TextPreprocessor,
    check_speed,
    checkpoints,
)
from fastbert_tf.commands.launch import launch
from fastbert_tf.data import TableReader
from fastbert_tf.files import check_output_file, replaced_file
from fastbert_tf.segments import (
    PooledDriver,
    Prediction,
    for_throughput,
    predict_texts,
)
from fastbert_tf.segments.backends import PRECISIONS

from ..answer_json import records
from ..bundle.loading import load_preprocessor, load_segments
from ..bundle.manifest import read_manifest

# Batches read and encoded at once: rows of one length meet in them, and the
# last batches of a chunk, which are not full, are few.
_CHUNK_BATCHES = 256
_DEFAULT_SPEED = 0.5


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this command; not done by importing it."""

    def text(name: str, default: str | None, help_: str) -> None:
        flags.DEFINE_string(name, default, help_, values)

    text("model_dir", None, "Folder that training wrote.")
    text("bundle_dir", None, "Folder that fastbert-export wrote, instead.")
    flags.mark_flags_as_mutual_exclusive(
        ["model_dir", "bundle_dir"], required=True, flag_values=values
    )
    text(
        "input_path",
        "-",
        "TSV, CSV or JSONL with `text_a` and, for pairs, `text_b`; any other "
        "file, and - for stdin, holds one text a line.",
    )
    text("output_path", "-", "JSONL file to write; - for stdout.")
    text("bad_rows_path", None, "File for the rows stepped over.")
    flags.DEFINE_float(
        "speed",
        None,
        "Leave when the uncertainty is under it; 0 never. Default: 0.5, or "
        "what the bundle says.",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "precision",
        None,
        PRECISIONS,
        "What the segments compute in. Default: float32; a bundle has one.",
        values,
    )
    flags.DEFINE_integer(
        "batch_size",
        32,
        "Rows run together.",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "max_bad_rows",
        0,
        "Malformed rows to step over.",
        lower_bound=0,
        flag_values=values,
    )


class Text(NamedTuple):
    """One row of the input; `text_b` is None for single texts."""

    text_a: str | bytes
    text_b: str | None


class Source(NamedTuple):
    """Where the answers come from: a model's folder or a bundle.

    Args:
        labels: class names in the order of the logits, or None.
        pairs: bool, whether texts come in pairs; None if that is not known.
        speed: float in [0, 1].
        load: gives the preprocessor and the driver.
    """

    labels: Sequence[str] | None
    pairs: bool | None
    speed: float
    load: Callable[[], tuple[TextPreprocessor, PooledDriver]]


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Not a flag: {' '.join(argv[1:])}")
    if values.speed is not None:
        check_speed(values.speed, 1)
    if values.output_path != "-":
        check_output_file(values.output_path)
    source = _bundle(values) if values.bundle_dir else _model(values)
    texts = _texts(values, source.pairs)
    preprocessor, driver = source.load()
    progress = Progress()
    with _opened(values.output_path) as output:
        for chunk in _chunks(texts, values.batch_size * _CHUNK_BATCHES):
            prediction = predict_texts(
                driver,
                preprocessor,
                [row.text_a for row in chunk],
                _pairs(chunk),
                speed=source.speed,
            )
            for record in records(prediction, source.labels):
                output.write(json.dumps(record, ensure_ascii=False) + "\n")
            output.flush()
            progress.update(prediction)
    progress.finish()


def _model(values: flags.FlagValues) -> Source:
    folder = values.model_dir
    manifest = checkpoints.read_manifest(folder)

    def load() -> tuple[TextPreprocessor, PooledDriver]:
        preprocessor = TextPreprocessor.from_pretrained(folder)
        model = FastBertClassifier.from_pretrained(folder)
        precision = values.precision or PRECISIONS[0]
        driver = for_throughput(model, precision, values.batch_size)
        return preprocessor, driver

    speed = _DEFAULT_SPEED if values.speed is None else values.speed
    return Source(manifest.labels, manifest.pairs, speed, load)


def _bundle(values: flags.FlagValues) -> Source:
    folder = values.bundle_dir
    manifest = read_manifest(folder)
    if values.precision not in (None, manifest.precision):
        raise ValueError(
            f"{folder} is of {manifest.precision}. Received: "
            f"--precision={values.precision}. Leave it out, or export the "
            "model in that precision."
        )

    def load() -> tuple[TextPreprocessor, PooledDriver]:
        preprocessor = load_preprocessor(folder)
        driver = PooledDriver(load_segments(folder), values.batch_size)
        return preprocessor, driver

    speed = manifest.usage.speed if values.speed is None else values.speed
    return Source(manifest.labels, manifest.usage.pairs, speed, load)


def _texts(values: flags.FlagValues, pairs: bool | None) -> Iterator[Text]:
    """The rows of the input, read as they are asked for."""
    path = values.input_path
    is_table = os.path.splitext(path)[1].lower() in (".tsv", ".csv", ".jsonl")
    if is_table:
        reader = TableReader(path, labelled=False, pairs=pairs)
        rows = reader.rows(values.max_bad_rows, values.bad_rows_path)
        return (Text(row.text_a, row.text_b) for row in rows)
    if path != "-" and not os.path.isfile(path):
        raise FileNotFoundError(
            f"No input at {path}. Expected a file, or - for stdin. Check "
            "--input_path."
        )
    if pairs:
        raise ValueError(
            "The model was trained on pairs of texts. Received: "
            f"--input_path={path}, one text a line. Pass a TSV, CSV or JSONL "
            "with `text_a` and `text_b`."
        )
    return _lines(path)


def _lines(path: str) -> Iterator[Text]:
    # Bytes: what is not UTF-8 is the preprocessor's to settle.
    with contextlib.ExitStack() as stack:
        file = sys.stdin.buffer
        if path != "-":
            file = stack.enter_context(open(path, "rb"))
        for line in file:
            yield Text(line.rstrip(b"\r\n"), None)


def _chunks(texts: Iterator[Text], size: int) -> Iterator[list[Text]]:
    while chunk := list(itertools.islice(texts, size)):
        yield chunk


def _pairs(chunk: list[Text]) -> list[str] | None:
    """The second texts; the reader has seen to it that all rows have one."""
    return None if chunk[0].text_b is None else [row.text_b for row in chunk]


@contextlib.contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    """stdout, or a file that appears at `path` once it is whole."""
    if path == "-":
        yield sys.stdout
        return
    with (
        replaced_file(path) as partial,
        open(partial, "w", encoding="utf-8") as file,
    ):
        yield file


class Progress:
    """Rows, rate and mean depth on stderr, on one line if it is a terminal."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._num_rows = 0
        self._blocks = 0.0

    def update(self, prediction: Prediction) -> None:
        self._num_rows += len(prediction.result)
        self._blocks += float((prediction.result.exit_index + 1).sum())
        if sys.stderr.isatty():
            print(f"\r{self._line()}", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        start = "\r" if sys.stderr.isatty() else ""
        print(f"{start}{self._line()}", file=sys.stderr)

    def _line(self) -> str:
        rate = self._num_rows / (time.monotonic() - self._start)
        depth = self._blocks / max(self._num_rows, 1)
        return (
            f"{self._num_rows:,} rows, {rate:,.0f} rows/s, mean depth "
            f"{depth:.2f}"
        )


def run() -> None:
    """The console script."""
    launch(main, define_flags)


if __name__ == "__main__":
    run()
