"""What does a trained FastBERT say to a corpus, on one machine or on many?

    pip install 'fastbert-tf[beam]'
    fastbert-score-beam --bundle_dir=bundle/ --input_path='corpus/*.tsv' \\
        --output_path=scores/ --speed=0.5 -- --direct_num_workers=2 \\
        --direct_running_mode=multi_processing

Runs an Apache Beam pipeline over the files that match, TSV, CSV, JSONL or
Parquet with `text_a` and, for pairs, `text_b`, and writes what
`fastbert-predict --bundle_dir` answers, in shards, in no order: each row
also has its `file` and its `line` (in Parquet its row, from 1), by which it
can be sorted. `scores.json`, there once the rest is, counts the rows. An
output folder that is already there is replaced as a whole.

Flags behind `--` are Beam's: its runner, that runner's workers. By default
the direct runner works here, on one thread, and holds the corpus in memory.
"""

from collections.abc import Sequence

from absl import app, flags

from fastbert_tf.commands.launch import launch
from fastbert_tf.commands.shared_flags import (
    define_batch_size,
    define_count,
    define_old_name,
    define_speed,
    define_text,
)

from .. import beam


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this command; not done by importing it."""
    for name, more in (
        ("bundle_dir", "On every worker."),
        ("input_path", "File, or pattern of files."),
        ("output_path", "A folder; answers there are replaced."),
    ):
        define_text(name, values, more, required=True)
    formats = ["jsonl", "parquet"]
    flags.DEFINE_enum(
        "output_format", formats[0], formats, "Of the answers.", values
    )
    define_speed(values, "Default: what the bundle says.")
    flags.DEFINE_integer(
        "num_shards",
        0,
        "Files to write; 0: as the runner likes.",
        lower_bound=0,
        flag_values=values,
    )
    define_count("max_bad_rows", values, 0)
    define_batch_size(values)
    define_old_name("batch_size", "max_batch_size", values)


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
    if not all(argument.startswith("--") for argument in argv[1:]):
        raise app.UsageError(f"Not a flag: {' '.join(argv[1:])}")
    summary = beam.score(
        values.bundle_dir,
        values.input_path,
        values.output_path,
        output_format=values.output_format,
        speed=values.speed,
        max_batch_size=values.max_batch_size,
        num_shards=values.num_shards,
        max_bad_rows=values.max_bad_rows,
        beam_options=argv[1:],
    )
    print(
        f"{values.output_path}: {summary.num_rows:,} rows, "
        f"{summary.num_bad_rows:,} bad, mean depth {summary.mean_depth:.2f} "
        f"at speed {summary.speed:g}"
    )


def run() -> None:
    """The console script."""
    launch(main, define_flags)


if __name__ == "__main__":
    run()
