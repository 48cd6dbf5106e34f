"""How do I turn a BERT and a table of labelled texts into a FastBERT?

    fastbert-train --pretrained_model_path=bert-base-uncased/ \\
        --train_path=train.tsv --dev_path=dev.tsv --output_model_path=model/

Stage 1 trains encoder and teacher on the labels, stage 2 the students on the
teacher. While it runs: a progress bar, the dev accuracy and, in stage 2, that
of every exit, M0 first. Afterwards `model/` is what `fastbert-evaluate` and
`fastbert-predict` take.
"""

import dataclasses
from typing import Any

import keras
import tensorflow as tf
from absl import flags, logging

from .. import checkpoints
from ..data import load_dataset
from ..distillation import LOSSES
from ..model import FastBertClassifier
from ..progress import log_callbacks
from ..tables import read_labels
from ..tokenization import TextPreprocessor
from ..training import TrainingSettings, distill_students, train_backbone
from .launch import launch

_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}

_PRETRAINED = flags.DEFINE_string(
    "pretrained_model_path",
    None,
    "BERT to start from: a folder, a UER `.bin` file, or a name on the "
    "Hugging Face hub.",
    required=True,
)
_CONFIG = flags.DEFINE_string(
    "config_path", None, "JSON configuration of a `.bin` file."
)
_VOCAB = flags.DEFINE_string(
    "vocab_path", None, "Vocabulary, where it is not beside the weights."
)
_TRAIN = flags.DEFINE_string(
    "train_path",
    None,
    "TSV, CSV or JSONL with `label`, `text_a` and, for pairs, `text_b`.",
    required=True,
)
_DEV = flags.DEFINE_string(
    "dev_path", None, "The same, to choose the best epoch.", required=True
)
_DISTILL = flags.DEFINE_string(
    "distill_path",
    None,
    "Texts for stage 2, labelled or not. Default: those of --train_path.",
)
_OUTPUT = flags.DEFINE_string(
    "output_model_path", None, "Folder to write.", required=True
)
_EPOCHS = flags.DEFINE_integer(
    "epochs_num", 3, "Epochs of stage 1.", lower_bound=0
)
_DISTILL_EPOCHS = flags.DEFINE_integer(
    "distill_epochs_num", 5, "Epochs of stage 2.", lower_bound=0
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 32, "Rows a step.", lower_bound=1
)
_SEQ_LENGTH = flags.DEFINE_integer(
    "seq_length", 128, "Longest row, in tokens.", lower_bound=3
)
_RATE = flags.DEFINE_float("learning_rate", 2e-5, "Peak of stage 1.")
_DISTILL_RATE = flags.DEFINE_float(
    "distill_learning_rate", 2e-4, "Peak of stage 2."
)
_WARMUP = flags.DEFINE_float("warmup", 0.1, "Share of steps warming up.")
_LOSS = flags.DEFINE_enum(
    "distillation_loss",
    "kl",
    LOSSES,
    "kl: KL(teacher || student), as released; reverse_kl: as in the paper's "
    "equation 5; cross_entropy: on the labels.",
)
_TEMPERATURE = flags.DEFINE_float("temperature", 1.0, "Of the KL losses.")
_NUM_LAYERS = flags.DEFINE_integer(
    "num_layers",
    None,
    "Blocks to stack a shallower checkpoint to; a multiple of its own.",
)
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    list(_POLICIES),
    "bfloat16 computes in it and keeps float32 weights.",
)
_SEED = flags.DEFINE_integer("seed", 7, "Of weights, dropout and shuffling.")
_LOG_DIR = flags.DEFINE_string(
    "training_log_dir", None, "Folder for stage1.csv and stage2.csv."
)
_TENSORBOARD = flags.DEFINE_bool(
    "tensorboard", False, "Write TensorBoard events to --training_log_dir too."
)


def main(argv: list[str]) -> None:
    del argv
    settings = TrainingSettings(
        epochs=_EPOCHS.value,
        distill_epochs=_DISTILL_EPOCHS.value,
        learning_rate=_RATE.value,
        distill_learning_rate=_DISTILL_RATE.value,
        warmup=_WARMUP.value,
        distillation_loss=_LOSS.value,
        temperature=_TEMPERATURE.value,
    )
    checkpoints.check_replaceable(_OUTPUT.value)
    logging.set_verbosity(logging.INFO)
    keras.utils.set_random_seed(_SEED.value)
    labels = read_labels(_TRAIN.value)
    model, preprocessor = _load(len(labels))
    train = _dataset(_TRAIN.value, preprocessor, labels, shuffle=True)
    dev = _dataset(_DEV.value, preprocessor, labels)
    print(f"Stage 1: encoder and teacher, {len(labels)} labels", flush=True)
    train_backbone(model, train, dev, settings, _logs("stage1"))
    print("Stage 2: students", flush=True)
    if _DISTILL.value:
        train = load_dataset(
            _DISTILL.value,
            preprocessor,
            batch_size=_BATCH_SIZE.value,
            shuffle=True,
            seed=_SEED.value,
            labelled=False,
        )
    distill_students(model, train, dev, settings, _logs("stage2"))
    model.save_pretrained(
        _OUTPUT.value,
        preprocessor=preprocessor,
        labels=labels,
        training={
            **dataclasses.asdict(settings),
            "batch_size": _BATCH_SIZE.value,
            "precision": _PRECISION.value,
            "seed": _SEED.value,
        },
    )
    print(f"Saved to {_OUTPUT.value}")


def _load(num_classes: int) -> tuple[FastBertClassifier, TextPreprocessor]:
    folder = checkpoints.fetch(_PRETRAINED.value)
    model = FastBertClassifier.from_pretrained(
        folder,
        num_classes=num_classes,
        num_layers=_NUM_LAYERS.value,
        config_path=_CONFIG.value,
        dtype=_POLICIES[_PRECISION.value],
    )
    preprocessor = TextPreprocessor.from_pretrained(
        _VOCAB.value or folder,
        sequence_length=_SEQ_LENGTH.value,
        template=model.origin.get("template"),
    )
    return model, preprocessor


def _dataset(
    path: str,
    preprocessor: TextPreprocessor,
    labels: list[str],
    shuffle: bool = False,
) -> tf.data.Dataset:
    return load_dataset(
        path,
        preprocessor,
        batch_size=_BATCH_SIZE.value,
        shuffle=shuffle,
        seed=_SEED.value,
        labels=labels,
    )


def _logs(stage: str) -> list[Any]:
    if not _LOG_DIR.value:
        return []
    return log_callbacks(_LOG_DIR.value, stage, _TENSORBOARD.value)


def run() -> None:
    """The console script `fastbert-train`."""
    launch(main)


if __name__ == "__main__":
    run()
