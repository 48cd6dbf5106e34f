"""How good is a trained FastBERT at each speed, and what does it cost?

    fastbert-evaluate --model_dir=model/ --test_path=test.tsv \\
        --speeds=0,0.1,0.5,0.8 --output=report.jsonl --plot=curve.png

The model runs once over the file; every speed is worked out from that. The
first table has full depth (all blocks, no student asked) and a line a speed:
accuracy, mean depth in blocks, FLOPs of one example at its own length, how
many times fewer that is than full depth ("paper FLOPs" by the paper's count,
at the model's sequence length), and the examples answered by each segment.
The second has each exit used alone, as a shallower model of the same weights,
and its mean uncertainty. Compare accuracies at equal FLOPs, not equal speed.

`--output` gets the same as JSON lines: one a speed, then one an exit.
"""

from collections.abc import Sequence

from absl import app, flags

from ..checkpoints import read_manifest
from ..config import FastBertConfig
from ..data.dataset import load_dataset
from ..evaluation.curve import check_can_plot, plot_trade_off
from ..evaluation.reports import (
    ExitTrace,
    evaluate_exits,
    evaluate_speeds,
)
from ..evaluation.table import report_table, write_json_lines
from ..evaluation.trace import collect_exits
from ..files.atomic_file import check_output_file
from ..model import FastBertClassifier
from ..speed import check_speed
from ..text.preprocessor import TextPreprocessor
from .launch import launch


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this command; not done by importing it."""

    def text(
        name: str, default: str | None, help_: str, **kwargs: bool
    ) -> None:
        flags.DEFINE_string(name, default, help_, values, **kwargs)

    text("model_dir", None, "Folder that training wrote.", required=True)
    text(
        "test_path",
        None,
        "TSV, CSV or JSONL with `label`, `text_a` and, for pairs, `text_b`.",
        required=True,
    )
    text("output", None, "JSON lines file to write.")
    text("plot", None, "PNG of the trade-off curve to write.")
    flags.DEFINE_list(
        "speeds", "0,0.1,0.5,0.8", "Speeds in [0, 1], by commas.", values
    )
    text("bad_rows_path", None, "File for the rows stepped over.")
    flags.DEFINE_integer(
        "max_bad_rows",
        0,
        "Malformed rows to step over.",
        lower_bound=0,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "batch_size", 32, "Rows a step.", lower_bound=1, flag_values=values
    )


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Not a flag: {' '.join(argv[1:])}")
    speeds = parse_speeds(values.speeds)
    _check_outputs(values)
    trace, config, sequence_length = _run_model(values)
    by_speed = evaluate_speeds(trace, config, speeds, sequence_length)
    by_exit = evaluate_exits(trace, config, sequence_length)
    uncertainty = [f"{u:.3f}" for u in trace.mean_uncertainty]
    print(f"{values.test_path}: {len(trace.lengths):,} examples\n")
    print(report_table([by_exit[-1], *by_speed]), end="\n\n")
    print(report_table(by_exit, {"mean uncertainty": uncertainty}))
    if values.output:
        write_json_lines(values.output, [*by_speed, *by_exit])
    if values.plot:
        plot_trade_off(values.plot, by_speed, by_exit)


def parse_speeds(texts: Sequence[str]) -> list[float]:
    """The numbers in `texts`, each in [0, 1], or a ValueError."""
    speeds = []
    for text in texts:
        try:
            speeds.append(float(text))
        except ValueError as error:
            raise ValueError(
                "`--speeds` must be numbers in [0, 1], by commas. Received: "
                f"{text!r}. Write --speeds=0,0.1,0.5 for example."
            ) from error
        check_speed(speeds[-1], num_rows=1)
    if not speeds:
        raise ValueError(
            "`--speeds` must have a number at least. Received: none. Write "
            "--speeds=0,0.1,0.5 for example."
        )
    return speeds


def _check_outputs(values: flags.FlagValues) -> None:
    for path in (values.output, values.plot):
        if path:
            check_output_file(path)
    if values.plot:
        check_can_plot()


def _run_model(
    values: flags.FlagValues,
) -> tuple[ExitTrace, FastBertConfig, int]:
    """The trace, the model's configuration and its sequence length."""
    manifest = read_manifest(values.model_dir)
    preprocessor = TextPreprocessor.from_pretrained(values.model_dir)
    # A model saved without names was trained on the class numbers themselves.
    numbers = [str(i) for i in range(manifest.num_classes)]
    dataset = load_dataset(
        values.test_path,
        preprocessor,
        values.batch_size,
        labels=manifest.labels or numbers,
        pairs=manifest.pairs,
        max_bad_rows=values.max_bad_rows,
        bad_rows_path=values.bad_rows_path,
    )
    model = FastBertClassifier.from_pretrained(values.model_dir)
    trace = collect_exits(model, dataset)
    return trace, model.config, preprocessor.sequence_length


def run() -> None:
    """The console script."""
    launch(main, define_flags)


if __name__ == "__main__":
    run()
