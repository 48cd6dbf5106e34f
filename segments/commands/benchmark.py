"""How fast is FastBERT here, beside the same network without early exit?

    fastbert-benchmark --scenario=offline --model_dir=model/ \\
        --test_path=dev.tsv --mean_depths=1.5,3,6 --output_path=offline.jsonl
    fastbert-benchmark --scenario=full_depth --shapes=32x128,1x32 \\
        --peers=all

`offline` has all rows at once, `single_stream` one after another, `server`
at random times with a deadline, to drivers, to engines that admit and shed, or
to servers that run, as --urls=http://localhost:8000/v1/models/fastbert.
`full_depth` times fixed shapes at
`speed=0`, `cost_table` every segment alone; `precision` compares bfloat16
with float32, `endurance` ten times the rows with the rows; `loadgen` is
MLPerf's LoadGen as the client, in its three scenarios. Without
`--model_dir` the weights are random, and with `--random_weights` rows of the
model's lengths leave where the model's would, in a network of the sizes
given.

Every variant but servers runs in this process, in turn with the others; the
median counts. "time" and "FLOPs" are speed-ups over the same weights at full
depth as one graph, in the same precision and the same batches; "ideal time" is
what the segments alone would take. `--output_path` gets the environment and
then a JSON line a row of the table.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags

from fastbert_tf import FastBertConfig
from fastbert_tf.commands.launch import launch
from fastbert_tf.commands.shared_flags import (
    define_count,
    define_deadline,
    define_old_name,
    define_text,
    meaning,
)
from fastbert_tf.evaluation import format_table
from fastbert_tf.files import check_output_file

from ..backends.precision import PRECISIONS
from ..benchmarks.options import BenchmarkOptions
from ..benchmarks.peers import PEERS
from ..benchmarks.records import write_records
from ..benchmarks.runs import SCENARIOS, run_benchmark
from ..benchmarks.tables import columns_of
from ..benchmarks.variants import DRIVERS, ENGINES

_VARIANTS = {variant.name: variant for variant in (*DRIVERS, *ENGINES)}
_EXAMPLES = dict.fromkeys(
    ("batch_sizes", "static_blocks", "lengths", "official_threads"),
    "whole numbers",
) | {
    "speeds": "numbers in [0, 1]",
    "mean_depths": "numbers of blocks",
    "loads": "multiples of the full-depth capacity",
    "shapes": "rows x length like 32x128",
}


_TEXTS = (
    ("model_dir", "Random weights without it."),
    ("test_path", "With --model_dir."),
    ("output_path", "JSON lines."),
)
_LISTS = (
    (
        "drivers",
        "driver,pooled",
        f"Of {', '.join(_VARIANTS)}, by commas; those on openvino need "
        "'.[openvino]'.",
    ),
    (
        "precisions",
        "float32",
        f"Values of --precision, by commas: {', '.join(PRECISIONS)}.",
    ),
    ("batch_sizes", "32", "Values of --max_batch_size, by commas."),
    ("speeds", "", meaning("speeds")),
    ("mean_depths", "", "Blocks a row; the speed is looked for."),
    ("static_blocks", "", "Shallower networks of the same weights."),
    ("shapes", "32x128,1x128,1x32", "Rows x length, for full_depth."),
    ("lengths", "32,64", "Positions, for cost_table."),
    ("official_threads", "", "Threads of the released algorithm."),
    ("peers", "", f"all, or of {', '.join(PEERS)} (needs '.[peers]')."),
    (
        "urls",
        "",
        "Models of servers that run, for server and loadgen (needs '.[http]').",
    ),
    ("loads", "0.5,1,2", "Arrivals over full-depth capacity, for server."),
)
_SWITCHES = (
    ("random_weights", "Random weights of the sizes below."),
    ("keras", "Also `keras.Model.predict`, in offline."),
    ("planned", "Also drivers that ask the exits worth asking only."),
)
_COUNTS = (
    ("num_rows", 512, "Rows, at most."),
    ("num_rounds", 5, "Runs of each variant whose median counts."),
    ("num_arrivals", 500, "Rows that arrive, for server."),
    ("loadgen_millis", 10_000, "Milliseconds of each LoadGen run, at least."),
    ("hidden_size", 768, "Width of random weights."),
    ("num_heads", 12, "Their attention heads."),
    ("intermediate_size", 3072, "Their feed-forward width."),
    ("num_classes", 4, "Their classes."),
)


_OLD_NAMES = {
    "output": "output_path",
    "deadline_ms": "deadline_millis",
    "loadgen_ms": "loadgen_millis",
}


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this command; not done by importing it."""
    flags.DEFINE_enum(
        "scenario", "offline", list(SCENARIOS), "What is measured.", values
    )
    for name, more in _TEXTS:
        define_text(name, values, more)
    for name, default, help_ in _LISTS:
        flags.DEFINE_list(name, default, help_, values)
    for name, help_ in _SWITCHES:
        flags.DEFINE_bool(name, False, help_, values)
    for name, default, help_ in _COUNTS:
        flags.DEFINE_integer(
            name, default, help_, lower_bound=1, flag_values=values
        )
    define_count("num_layers", values, 12, 1, "With random weights.")
    define_deadline(values, "For server and loadgen.", 200.0)
    for old, new in _OLD_NAMES.items():
        define_old_name(old, new, values)


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Not a flag: {' '.join(argv[1:])}")
    if values.output_path:
        check_output_file(values.output_path)
    options = parse_options(values)
    records = []
    for table in run_benchmark(values.scenario, options):
        print(format_table(columns_of(table)), end="\n\n", flush=True)
        records += table
    if values.output_path:
        write_records(values.output_path, records)


def parse_options(values: flags.FlagValues) -> BenchmarkOptions:
    """The flags as `BenchmarkOptions`."""
    numbers = {
        "batch_sizes": int,
        "speeds": float,
        "mean_depths": float,
        "static_blocks": int,
        "lengths": int,
        "official_threads": int,
        "loads": float,
        "shapes": parse_shape,
    }
    parsed = {
        name: tuple(_parsed(name, text, kind) for text in values[name].value)
        for name, kind in numbers.items()
    }
    plain = {
        field.name: values[field.name].value
        for field in dataclasses.fields(BenchmarkOptions)
        if field.name in values and field.name not in parsed
    }
    plain["urls"] = tuple(values.urls)
    names = _chosen("drivers", values.drivers, tuple(_VARIANTS))
    plain["drivers"] = tuple(_VARIANTS[name] for name in names)
    plain["precisions"] = _chosen("precisions", values.precisions, PRECISIONS)
    peers = PEERS if values.peers == ["all"] else values.peers
    plain["peers"] = _chosen("peers", peers, PEERS)
    config = FastBertConfig(
        hidden_size=values.hidden_size,
        num_hidden_layers=values.num_layers,
        num_attention_heads=values.num_heads,
        intermediate_size=values.intermediate_size,
        num_classes=values.num_classes,
    )
    return BenchmarkOptions(config=config, **plain, **parsed)


def parse_shape(text: str) -> tuple[int, int]:
    """`32x128` as 32 rows of 128 positions."""
    rows, length = map(int, text.split("x"))
    return rows, length


def _parsed(name: str, text: str, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(
            f"`--{name}` must be {_EXAMPLES[name]}, by commas. Received: "
            f"{text!r}. See --help."
        ) from error


def _chosen(
    name: str, texts: Sequence[str], choices: Sequence[str]
) -> tuple[str, ...]:
    for text in texts:
        if text not in choices:
            raise ValueError(
                f"`--{name}` must be of {list(choices)}, by commas. "
                f"Received: {text!r}. See --help."
            )
    return tuple(texts)


def run() -> None:
    """The console script."""
    launch(main, define_flags)


if __name__ == "__main__":
    run()
