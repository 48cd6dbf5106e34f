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
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TextIO

from absl import app, flags

from fastbert_tf import check_speed
from fastbert_tf.commands.launch import launch
from fastbert_tf.commands.shared_flags import (
    define_bad_rows,
    define_batch_size,
    define_old_name,
    define_precision,
    define_speed,
    define_text,
)
from fastbert_tf.data import read_texts
from fastbert_tf.files import check_output_file, replaced_file
from fastbert_tf.segments import TextAnswer, TextClassifier
from fastbert_tf.segments.backends import PRECISIONS

from ..bundle.bundle import check_is_bundle, load_classifier


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this command; not done by importing it."""

    define_text("model_dir", values)
    define_text("bundle_dir", values)
    flags.mark_flags_as_mutual_exclusive(
        ["model_dir", "bundle_dir"], required=True, flag_values=values
    )
    define_text(
        "input_path",
        values,
        "TSV, CSV, JSONL (also with .gz) or Parquet with `text_a` and, for "
        "pairs, `text_b`; .txt, no extension, and - for stdin: a text a line.",
        default="-",
    )
    define_text("output_path", values, "JSONL; - for stdout.", default="-")
    define_speed(values, "Default: 0.5, or what the bundle says.")
    define_precision(
        values,
        PRECISIONS,
        "Default: float32; a bundle has one.",
        default=None,
    )
    define_bad_rows(values)
    define_batch_size(values)
    define_old_name("batch_size", "max_batch_size", values)


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Not a flag: {' '.join(argv[1:])}")
    if values.speed is not None:
        check_speed(values.speed, 1)
    if values.output_path != "-":
        check_output_file(values.output_path)
    read_texts(values.input_path)  # Refuses before anything is loaded.
    classifier = _bundle(values) if values.bundle_dir else _model(values)
    rows = read_texts(
        values.input_path,
        classifier.pairs,
        values.max_bad_rows,
        values.bad_rows_path,
    )
    texts = (x.text_a if x.text_b is None else x[2:4] for x in rows)
    progress = Progress()
    with _opened(values.output_path) as output:
        for answer in classifier.predict_stream(texts, values.speed):
            line = json.dumps(answer.to_dict(), ensure_ascii=False)
            output.write(line + "\n")
            progress.add(answer)
            if progress.num_rows % classifier.rows_per_call == 0:
                output.flush()
                progress.show()
    progress.finish()


def _model(values: flags.FlagValues) -> TextClassifier:
    if not os.path.isdir(values.model_dir):
        raise FileNotFoundError(
            f"No folder at {values.model_dir}. Expected the folder of a "
            "trained model. Check --model_dir."
        )
    return TextClassifier.from_pretrained(
        values.model_dir, values.precision, max_batch_size=values.max_batch_size
    )


def _bundle(values: flags.FlagValues) -> TextClassifier:
    check_is_bundle(values.bundle_dir)
    return load_classifier(
        values.bundle_dir,
        values.precision,
        max_batch_size=values.max_batch_size,
    )


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
        self.num_rows = 0
        self._blocks = 0

    def add(self, answer: TextAnswer) -> None:
        """Counts a row."""
        self.num_rows += 1
        self._blocks += answer.exit_index + 1

    def show(self) -> None:
        """Writes the line anew, if it is on a terminal."""
        if sys.stderr.isatty():
            print(f"\r{self._line()}", end="", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Writes the line, and leaves it."""
        start = "\r" if sys.stderr.isatty() else ""
        print(f"{start}{self._line()}", file=sys.stderr)

    def _line(self) -> str:
        rate = self.num_rows / (time.monotonic() - self._start)
        depth = self._blocks / max(self.num_rows, 1)
        return (
            f"{self.num_rows:,} rows, {rate:,.0f} rows/s, mean depth "
            f"{depth:.2f}"
        )


def run() -> None:
    """The console script."""
    launch(main, define_flags)


if __name__ == "__main__":
    run()
