"""How do I turn a BERT and a table of labelled texts into a FastBERT?

    fastbert-train --pretrained_model_path=bert-base-uncased/ \\
        --train_path=train.tsv --dev_path=dev.tsv --output_model_path=model/

Stage 1 trains encoder and teacher on the labels, stage 2 the students on the
teacher. While it runs: a progress bar, the dev accuracy and, in stage 2, that
of every exit, M0 first. Afterwards `model/` is what `fastbert-evaluate` and
`fastbert-predict` take.

With `--strategy=multi_worker` the same command runs on every worker, with the
same files and a `TF_CONFIG` of its own; the first writes the model.
"""

import os
from collections.abc import Sequence

import tensorflow as tf
from absl import app, flags, logging

from .. import checkpoints
from ..distillation import LOSSES
from ..training.stages import TrainingSettings
from ..training.strategies import (
    STRATEGIES,
    is_chief,
    lost_workers_told,
    make_strategy,
)
from ..training.tables import POLICIES, train_tables
from .launch import launch
from .shared_flags import define_bad_rows, define_count, define_precision


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this command; not done by importing it."""
    _define_path_flags(values)
    _define_training_flags(values)


def _define_path_flags(values: flags.FlagValues) -> None:
    def text(
        name: str, default: str | None, help_: str, **kwargs: bool
    ) -> None:
        flags.DEFINE_string(name, default, help_, values, **kwargs)

    text(
        "pretrained_model_path",
        None,
        "BERT to start from: a folder, a UER `.bin` file, or a name on the "
        "Hugging Face hub.",
        required=True,
    )
    text("config_path", None, "JSON configuration of a `.bin` file.")
    text("vocab_path", None, "Vocabulary, if not beside the weights.")
    text(
        "train_path",
        None,
        "As --test_path of fastbert-evaluate, to learn from.",
        required=True,
    )
    text(
        "dev_path",
        None,
        "The same, to choose the best epoch by.",
        required=True,
    )
    text(
        "distill_path",
        None,
        "Texts for stage 2, without labels; those of --train_path if not "
        "given.",
    )
    text("output_model_path", None, "Folder to write.", required=True)
    text("training_log_dir", None, "Folder for stage1.csv and stage2.csv.")
    define_bad_rows(values)
    flags.DEFINE_bool(
        "do_lower_case",
        None,
        "Lower-case and strip accents. Default: as the checkpoint says, and "
        "true if it does not.",
        values,
    )
    flags.DEFINE_bool(
        "tensorboard",
        False,
        "Write TensorBoard events to --training_log_dir too.",
        values,
    )


def _define_training_flags(values: flags.FlagValues) -> None:
    def count(name: str, default: int | None, low: int, help_: str) -> None:
        flags.DEFINE_integer(
            name, default, help_, lower_bound=low, flag_values=values
        )

    def number(name: str, default: float, help_: str) -> None:
        flags.DEFINE_float(name, default, help_, flag_values=values)

    define_count("epochs_num", values, 3)
    define_count("distill_epochs_num", values, 5)
    count("batch_size", 32, 1, "Rows of a training step.")
    count("seq_length", 128, 3, "Longest row, in tokens.")
    define_count(
        "num_layers",
        values,
        None,
        1,
        "A multiple of the checkpoint's, which are stacked. Default: as many.",
    )
    define_count("seed", values, 7)
    number("learning_rate", 2e-5, "Peak of stage 1.")
    number("distill_learning_rate", 2e-4, "Peak of stage 2.")
    number("warmup", 0.1, "Share of the steps warming up.")
    number("temperature", 1.0, "Of the KL losses.")
    flags.DEFINE_enum(
        "distillation_loss",
        "kl",
        LOSSES,
        "kl: KL(teacher || student), as released; reverse_kl: the paper's "
        "equation 5; cross_entropy: on the labels.",
        values,
    )
    define_precision(
        values, list(POLICIES), "The weights stay float32 in training."
    )
    flags.DEFINE_enum(
        "strategy",
        "none",
        STRATEGIES,
        "none: one device; mirrored: all GPUs of this machine; multi_worker: "
        "all devices of the workers in TF_CONFIG, each running this command. "
        "They share the rows of every batch.",
        values,
    )


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Not a flag: {' '.join(argv[1:])}")
    settings = _settings(values)
    logging.set_verbosity(logging.INFO)
    tf.get_logger().setLevel("WARNING")  # A line an exchange of workers.
    strategy = make_strategy(values.strategy, os.environ.get("TF_CONFIG"))
    with lost_workers_told():
        _train(values, settings, strategy)


def _train(
    values: flags.FlagValues,
    settings: TrainingSettings,
    strategy: tf.distribute.Strategy,
) -> None:
    writes = is_chief(strategy)
    if writes:
        checkpoints.check_writable(values.output_model_path)
    trained = train_tables(
        values.train_path,
        values.dev_path,
        values.pretrained_model_path,
        settings,
        distill_path=values.distill_path,
        config_path=values.config_path,
        vocab_path=values.vocab_path,
        num_layers=values.num_layers,
        sequence_length=values.seq_length,
        do_lower_case=values.do_lower_case,
        batch_size=values.batch_size,
        seed=values.seed,
        precision=values.precision,
        max_bad_rows=values.max_bad_rows,
        bad_rows_path=values.bad_rows_path,
        training_log_dir=values.training_log_dir,
        tensorboard=values.tensorboard,
        strategy=strategy,
    )
    if writes:
        trained.save(values.output_model_path)
        print(f"Saved to {values.output_model_path}")


def _settings(values: flags.FlagValues) -> TrainingSettings:
    return TrainingSettings(
        epochs=values.epochs_num,
        distill_epochs=values.distill_epochs_num,
        learning_rate=values.learning_rate,
        distill_learning_rate=values.distill_learning_rate,
        warmup=values.warmup,
        distillation_loss=values.distillation_loss,
        temperature=values.temperature,
    )


def run() -> None:
    """The console script."""
    launch(main, define_flags)


if __name__ == "__main__":
    run()
