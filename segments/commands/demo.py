"""What does FastBERT do, on a real BERT and real text, within minutes?

    fastbert-demo

The encoder is MiniLM-L6 stacked to 12 blocks, the texts are the docstrings
of the installed packages, the question is which package a docstring's first
paragraph comes from. Both stages are trained; then a table compares full
depth with several speeds (accuracy, mean depth in blocks, FLOPs, time), and
a few texts are answered, each with the segment it left at. On two cores it
takes a quarter of an hour. Texts, model and curve go to `demo/`; those of an
earlier run are replaced. Figures depend on the packages installed.
"""

import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from absl import app, flags, logging

from fastbert_tf import checkpoints
from fastbert_tf.commands.launch import launch
from fastbert_tf.commands.shared_flags import define_count
from fastbert_tf.evaluation import check_can_plot
from fastbert_tf.training import TrainingSettings

from ..demo import encoder as minilm
from ..demo.corpus import PACKAGES, LabelledText
from ..demo.steps import (
    BATCH_SIZE,
    FULL_DEPTH,
    PREDICTION_SPEED,
    SEQUENCE_LENGTH,
    TIMED_ROUNDS,
    Demonstration,
    exit_table,
    prediction_table,
    trade_off_table,
)
from ..timing import Timing


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this command; not done by importing it."""

    flags.DEFINE_string("work_dir", "demo", "Folder to write to.", values)
    define_count("seed", values, 7)
    flags.DEFINE_integer(
        "rows_per_class",
        800,
        "Texts of a class, at most.",
        lower_bound=10,
        flag_values=values,
    )
    define_count("epochs_num", values, 2)
    define_count("distill_epochs_num", values, 3)


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Not a flag: {' '.join(argv[1:])}")
    if logging.get_verbosity() == logging.INFO:
        logging.set_verbosity(logging.WARNING)  # The steps say it in prose.
    start = time.monotonic()
    demo = Demonstration(
        Path(values.work_dir),
        values.seed,
        values.rows_per_class,
        TrainingSettings(
            epochs=values.epochs_num,
            distill_epochs=values.distill_epochs_num,
            learning_rate=5e-5,
            distill_learning_rate=5e-4,
        ),
    )
    check_can_plot()
    checkpoints.check_writable(str(demo.model_dir))
    _train(demo, start)
    _show(demo, start)
    print(f"\nDone in {_minutes(start)}. Next, ask it about your own text:\n")
    print(_next_command(demo.model_dir))


def _train(demo: Demonstration, start: float) -> None:
    _title(1, "Texts: docstrings of the installed packages", start)
    _print_texts(demo.write_texts(), demo.work_dir)
    _title(2, f"Encoder: {minilm.NAME} (not BERT-base)", start)
    model, preprocessor = demo.load_encoder()
    print(
        f"{len(model.blocks)} blocks of width {model.config.hidden_size}: "
        "each pretrained block stands twice.\nThe exit classifier on every "
        "block starts fresh."
    )
    settings = demo.settings
    _title(3, "Stage 1: encoder and teacher learn the labels", start)
    print(
        f"Epochs: {settings.epochs}, in batches of {BATCH_SIZE}, texts cut to "
        f"{SEQUENCE_LENGTH} tokens, learning rate {settings.learning_rate:g}, "
        "float32."
    )
    demo.train_teacher(model, preprocessor)
    _title(4, "Stage 2: the students learn from the teacher", start)
    print(
        f"Epochs: {settings.distill_epochs}, learning rate "
        f"{settings.distill_learning_rate:g}; encoder and teacher stay as "
        "they are."
    )
    demo.train_students(model, preprocessor)
    demo.save(model, preprocessor)
    print(f"Saved to {demo.model_dir}")


def _show(demo: Demonstration, start: float) -> None:
    _title(5, "Accuracy, FLOPs and time on the test texts", start)
    classifier, model = demo.load_classifier(), demo.load_model()
    reports = demo.evaluate(model, classifier.preprocessor)
    timings = demo.time(model, classifier)
    print(trade_off_table(reports, timings), end="\n\n")
    _print_baseline(timings)
    print(f"Where the texts left:\n\n{exit_table(reports)}\n")
    print(f"The curve, and every exit used alone: {demo.plot_path}")
    _title(6, f"A few answers at speed {PREDICTION_SPEED:g}", start)
    print(prediction_table(classifier, demo.examples()))
    print(
        "The first texts are the first of each class in the test file; those "
        "without a truth are new."
    )


def _print_texts(
    corpus: Mapping[str, Sequence[LabelledText]], folder: Path
) -> None:
    sizes = [f"{name} {len(rows):,}" for name, rows in corpus.items()]
    num_rows = sum(map(len, corpus.values()))
    print(
        f"{num_rows:,} first paragraphs, {num_rows // len(PACKAGES):,} each "
        f"of {', '.join(PACKAGES)}\n(a random choice, to be quick; "
        "--rows_per_class takes more). Which of the five is it from?\n"
        f"{', '.join(sizes)}; in {folder / 'data'}"
    )


def _print_baseline(timings: Mapping[int, Timing]) -> None:
    print(
        "FLOPs and time are speed-ups over full depth: all blocks and the "
        "teacher alone.\nTime: measured in turn in this process on the same "
        "batches, float32, full depth\nas one frozen graph, median of "
        f"{TIMED_ROUNDS} rounds. Seconds at full depth:"
    )
    for batch_size, timing in timings.items():
        seconds = timing.median(FULL_DEPTH)
        print(f"  batch size {batch_size}: {seconds:.2f} s")


def _title(number: int, text: str, start: float) -> None:
    print(f"\n[{number}/6] {text}  ({_minutes(start)})", flush=True)


def _minutes(start: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - start), 60)
    return f"{minutes}:{seconds:02} min"


def _next_command(model_dir: Path) -> str:
    """A command to copy; the script is beside this one, or on the path."""
    folder = os.path.dirname(sys.argv[0])
    script = shutil.which("fastbert-predict", path=folder or None)
    return (
        f'  echo "Returns the mean of a tensor over some axes." | '
        f"{script or 'fastbert-predict'} --model_dir={model_dir} "
        f"--speed={PREDICTION_SPEED:g}"
    )


def run() -> None:
    """The console script."""
    launch(main, define_flags)


if __name__ == "__main__":
    run()
