"""How good is a trained FastBERT at each speed, and what does it cost?

    fastbert-evaluate --model_dir=model/ --test_path=test.tsv \\
        --speeds=0,0.1,0.5,0.8 --output_path=report.jsonl --plot_path=curve.png

The model runs once over the file; every speed is worked out from that. The
first table has full depth (all blocks, no student asked) and a line a speed:
accuracy, mean depth in blocks, FLOPs of one example at its own length, how
many times fewer that is than full depth ("paper FLOPs" by the paper's count,
at the model's sequence length), and the examples answered by each segment.
The second has each exit used alone, as a shallower model of the same weights,
and its mean uncertainty. Compare accuracies at equal FLOPs, not equal speed.

`--output_path` gets the same as JSON lines: one a speed, then one an exit.
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
from .shared_flags import (
    define_bad_rows,
    define_batch_size,
    define_old_name,
    define_text,
    meaning,
)


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this command; not done by importing it."""

    define_text("model_dir", values, required=True)
    define_text("test_path", values, required=True)
    define_text("output_path", values, "JSON lines.")
    flags.DEFINE_string(
        "plot_path", None, "PNG of the trade-off curve to write.", values
    )
    flags.DEFINE_list("speeds", "0,0.1,0.5,0.8", meaning("speeds"), values)
    define_bad_rows(values)
    define_batch_size(values)
    define_old_name("batch_size", "max_batch_size", values)
    define_old_name("output", "output_path", values)
    define_old_name("plot", "plot_path", values)


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
    if values.output_path:
        write_json_lines(values.output_path, [*by_speed, *by_exit])
    if values.plot_path:
        plot_trade_off(values.plot_path, by_speed, by_exit)


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
    for path in (values.output_path, values.plot_path):
        if path:
            check_output_file(path)
    if values.plot_path:
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
        values.max_batch_size,
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
