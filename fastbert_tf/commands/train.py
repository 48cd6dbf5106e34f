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

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from absl import app, flags, logging

from .. import checkpoints
from ..data.dataset import load_dataset
from ..data.tables import holds_pairs, read_labels
from ..distillation import LOSSES
from ..inputs import check_preprocessor
from ..model import FastBertClassifier
from ..text.preprocessor import TextPreprocessor
from ..training.progress import log_callbacks
from ..training.stages import TrainingSettings, distill_students, train_backbone
from ..training.strategies import (
    STRATEGIES,
    is_chief,
    lost_workers_told,
    make_strategy,
)
from .launch import launch

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


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
        "TSV, CSV or JSONL with `label`, `text_a` and, for pairs, `text_b`.",
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
    text("bad_rows_path", None, "File for rows of --train_path stepped over.")
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

    count("epochs_num", 3, 0, "Epochs of stage 1.")
    count("distill_epochs_num", 5, 0, "Epochs of stage 2.")
    count("batch_size", 32, 1, "Rows a step.")
    count("seq_length", 128, 3, "Longest row, in tokens.")
    count(
        "num_layers",
        None,
        1,
        "Blocks to stack a shallower checkpoint to; a multiple of its own.",
    )
    count("max_bad_rows", 0, 0, "Malformed training rows to step over.")
    count("seed", 7, 0, "Of fresh weights, dropout and shuffling.")
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
    flags.DEFINE_enum(
        "precision",
        "float32",
        list(_POLICIES),
        "bfloat16 computes in it and keeps float32 weights.",
        values,
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
    logs = {
        stage: _logs(stage, values) if writes else []
        for stage in ("stage1", "stage2")
    }
    keras.utils.set_random_seed(values.seed)
    bad_rows = {
        "max_bad_rows": values.max_bad_rows,
        "bad_rows_path": _bad_rows_path(values, writes),
    }
    labels = read_labels(values.train_path, **bad_rows)
    pairs = holds_pairs(values.train_path, **bad_rows)
    with strategy.scope():
        model, preprocessor = _load(values, labels)
    load = functools.partial(
        load_dataset,
        preprocessor=preprocessor,
        batch_size=values.batch_size,
        seed=values.seed,
        pairs=pairs,
    )
    train = load(values.train_path, shuffle=True, labels=labels, **bad_rows)
    dev = load(values.dev_path, labels=labels)
    texts = train
    if values.distill_path:
        texts = load(values.distill_path, shuffle=True, labelled=False)
    print(f"Stage 1: encoder and teacher, {len(labels)} labels", flush=True)
    train_backbone(model, train, dev, settings, logs["stage1"])
    print("Stage 2: students", flush=True)
    distill_students(model, texts, dev, settings, logs["stage2"])
    if writes:
        recorded = {**_recorded(values, settings), "pairs": pairs}
        model.save_pretrained(
            values.output_model_path, preprocessor, labels, recorded
        )
        print(f"Saved to {values.output_model_path}")


def _bad_rows_path(values: flags.FlagValues, writes: bool) -> str | None:
    path = values.bad_rows_path
    return path if writes or not path else os.devnull


def _recorded(
    values: flags.FlagValues, settings: TrainingSettings
) -> dict[str, Any]:
    """What the model folder says about its training."""
    return {
        **dataclasses.asdict(settings),
        "batch_size": values.batch_size,
        "precision": values.precision,
        "seed": values.seed,
    }


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


def _load(
    values: flags.FlagValues, labels: list[str]
) -> tuple[FastBertClassifier, TextPreprocessor]:
    folder = checkpoints.fetch(values.pretrained_model_path)
    vocabulary = values.vocab_path or folder
    if not values.vocab_path and os.path.isfile(folder):
        vocabulary = os.path.join(os.path.dirname(folder), "vocab.txt")
    is_ours = os.path.exists(os.path.join(folder, checkpoints.MANIFEST_FILE))
    if is_ours:
        _check_same_labels(folder, labels)
    model = FastBertClassifier.from_pretrained(
        folder,
        num_classes=len(labels),
        num_layers=values.num_layers,
        config_path=values.config_path,
        dtype=_POLICIES[values.precision],
    )
    preprocessor = TextPreprocessor.from_pretrained(
        vocabulary,
        sequence_length=values.seq_length,
        template=None if is_ours else model.origin.get("template"),
        do_lower_case=values.do_lower_case,
    )
    check_preprocessor(
        preprocessor.vocab_size, preprocessor.sequence_length, model.config
    )
    return model, preprocessor


def _check_same_labels(folder: str, labels: list[str]) -> None:
    """A FastBERT that is trained on keeps the meaning of its classes."""
    known = checkpoints.read_manifest(folder).labels
    if known is not None and known != labels:
        raise ValueError(
            f"The labels must be those of {folder}: {known}. Received: "
            f"{labels}. Start from a BERT without exit classifiers, or name "
            "the labels alike."
        )


def _logs(stage: str, values: flags.FlagValues) -> list[Any]:
    if not values.training_log_dir:
        if values.tensorboard:
            raise ValueError(
                "`--tensorboard` needs a folder. Received: no "
                "--training_log_dir. Name one."
            )
        return []
    return log_callbacks(values.training_log_dir, stage, values.tensorboard)


def run() -> None:
    """The console script."""
    launch(main, define_flags)


if __name__ == "__main__":
    run()
