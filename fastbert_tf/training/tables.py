"""From labelled tables and a checkpoint to a trained classifier."""

from __future__ import annotations

import dataclasses
import functools
import os
from typing import Any

import keras
import tensorflow as tf

from .. import checkpoints
from ..data.dataset import load_dataset
from ..data.tables import holds_pairs, read_labels
from ..inputs import check_preprocessor
from ..model import FastBertClassifier
from ..text.preprocessor import TextPreprocessor
from .progress import log_callbacks
from .stages import TrainingSettings, distill_students, train_backbone
from .strategies import is_chief

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


@dataclasses.dataclass(frozen=True)
class Trained:
    """A trained classifier, as `TextClassifier` and `save` take it.

    Args:
        model: `FastBertClassifier`, both stages trained.
        preprocessor: `TextPreprocessor` of the model.
        labels: list of C class names, in the order of the logits.
        pairs: bool, it was trained on pairs of texts.
        recorded: dict of plain JSON values, how it was trained.
    """

    model: FastBertClassifier
    preprocessor: TextPreprocessor
    labels: list[str]
    pairs: bool
    recorded: dict[str, Any]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a folder that `TextClassifier.from_pretrained` reads.

        Args:
            path: folder to write; a FastBERT folder there is replaced.
        """
        self.model.save_pretrained(
            os.fspath(path), self.preprocessor, self.labels, self.recorded
        )


def train_tables(
    train_path: str | os.PathLike[str],
    dev_path: str | os.PathLike[str],
    checkpoint: str | os.PathLike[str],
    settings: TrainingSettings | None = None,
    *,
    distill_path: str | os.PathLike[str] | None = None,
    config_path: str | None = None,
    vocab_path: str | None = None,
    num_layers: int | None = None,
    sequence_length: int = 128,
    do_lower_case: bool | None = None,
    batch_size: int = 32,
    seed: int = 7,
    precision: str = "float32",
    max_bad_rows: int = 0,
    bad_rows_path: str | os.PathLike[str] | None = None,
    training_log_dir: str | None = None,
    tensorboard: bool = False,
    strategy: tf.distribute.Strategy | None = None,
) -> Trained:
    """Both stages, on files that are streamed; what `fastbert-train` runs.

    Progress goes to the terminal. Vocabulary, labels and rows are checked
    before the weights are read.

    Args:
        train_path, dev_path: tables with `label`, `text_a` and, for pairs,
            `text_b`, see `load_dataset`; dev chooses the best epoch.
        checkpoint: a folder, a `.bin` file or a hub name, as of
            `FastBertClassifier.from_pretrained`.
        settings: `TrainingSettings`; the published ones by default.
        distill_path: a table of texts for stage 2, labels unused; those of
            `train_path` by default.
        config_path: the JSON configuration of a `.bin` file.
        vocab_path: the vocabulary, if not beside the weights.
        num_layers: int, blocks to stack a shallower checkpoint to.
        sequence_length: int, tokens of the longest row.
        do_lower_case: bool, as the checkpoint says by default.
        batch_size: int, rows a step.
        seed: int, of fresh weights, dropout and shuffling.
        precision: str, `"float32"`, or `"bfloat16"` computed with float32
            weights.
        max_bad_rows, bad_rows_path: of `train_path`, as of `load_dataset`.
        training_log_dir: folder for `stage1.csv` and `stage2.csv`.
        tensorboard: bool, events there too.
        strategy: `tf.distribute` strategy of `make_strategy`; the chief
            alone logs and reports bad rows.

    Raises:
        FileNotFoundError, ValueError: a file or an argument is refused.
        FloatingPointError: the loss is no longer finite.
    """
    strategy = strategy or tf.distribute.get_strategy()
    writes = is_chief(strategy)
    settings = settings or TrainingSettings()
    stages = _Stages(settings, training_log_dir, tensorboard, writes)
    keras.utils.set_random_seed(seed)
    bad_rows_path = bad_rows_path if writes or not bad_rows_path else os.devnull
    bad_rows = {"max_bad_rows": max_bad_rows, "bad_rows_path": bad_rows_path}
    labels = read_labels(train_path, **bad_rows)
    pairs = holds_pairs(train_path, **bad_rows)
    source = _Source(checkpoint, config_path, vocab_path)
    preprocessor = source.preprocessor(sequence_length, do_lower_case)
    with strategy.scope():
        model = source.model(labels, num_layers, POLICIES[precision])
    check_preprocessor(preprocessor.vocab_size, sequence_length, model.config)
    load = functools.partial(
        load_dataset,
        preprocessor=preprocessor,
        batch_size=batch_size,
        seed=seed,
        pairs=pairs,
    )
    train = load(train_path, shuffle=True, labels=labels, **bad_rows)
    texts = train
    if distill_path:
        texts = load(distill_path, shuffle=True, labelled=False)
    stages.run(model, train, load(dev_path, labels=labels), texts)
    recorded = {"batch_size": batch_size, "precision": precision, "seed": seed}
    recorded |= {**stages.recorded, "pairs": pairs}
    return Trained(model, preprocessor, labels, pairs, recorded)


@dataclasses.dataclass(frozen=True)
class _Stages:
    """How both stages run, and where they are logged."""

    settings: TrainingSettings
    log_dir: str | None
    tensorboard: bool
    is_writing: bool

    def __post_init__(self) -> None:
        if self.tensorboard and not self.log_dir:
            raise ValueError(
                "`tensorboard` needs a folder. Received: no "
                "`training_log_dir`. Name one."
            )

    def run(
        self,
        model: FastBertClassifier,
        train: tf.data.Dataset,
        dev: tf.data.Dataset,
        texts: tf.data.Dataset,
    ) -> None:
        num_classes = model.config.num_classes
        logs = [self._logs(f"stage{i}") for i in (1, 2)]
        print(f"Stage 1: encoder and teacher, {num_classes} labels", flush=True)
        train_backbone(model, train, dev, self.settings, logs[0])
        print("Stage 2: students", flush=True)
        distill_students(model, texts, dev, self.settings, logs[1])

    @property
    def recorded(self) -> dict[str, Any]:
        return dataclasses.asdict(self.settings)

    def _logs(self, stage: str) -> list[Any]:
        if not (self.log_dir and self.is_writing):
            return []
        return log_callbacks(self.log_dir, stage, self.tensorboard)


@dataclasses.dataclass(frozen=True)
class _Source:
    """The checkpoint that training starts from."""

    path: str | os.PathLike[str]
    config_path: str | None
    vocab_path: str | None

    @functools.cached_property
    def folder(self) -> str:
        return checkpoints.fetch(self.path)

    @property
    def is_ours(self) -> bool:
        """It is a FastBERT, which is trained on."""
        manifest = os.path.join(self.folder, checkpoints.MANIFEST_FILE)
        return os.path.exists(manifest)

    def preprocessor(
        self, sequence_length: int, do_lower_case: bool | None
    ) -> TextPreprocessor:
        folder, template = self.folder, None
        if os.path.isfile(folder):  # UER's format, which packs alike.
            folder, template = os.path.dirname(folder) or ".", "uer"
        return TextPreprocessor.from_pretrained(
            self.vocab_path or folder,
            sequence_length=sequence_length,
            template=template,
            do_lower_case=do_lower_case,
        )

    def model(
        self, labels: list[str], num_layers: int | None, dtype: str
    ) -> FastBertClassifier:
        if self.is_ours:
            self._check_same_labels(labels)
        return FastBertClassifier.from_pretrained(
            self.folder,
            num_classes=len(labels),
            num_layers=num_layers,
            config_path=self.config_path,
            dtype=dtype,
        )

    def _check_same_labels(self, labels: list[str]) -> None:
        """A FastBERT that is trained on keeps the meaning of its classes."""
        known = checkpoints.read_manifest(self.folder).labels
        if known is not None and known != labels:
            raise ValueError(
                f"The labels must be those of {self.folder}: {known}. "
                f"Received: {labels}. Start from a BERT without exit "
                "classifiers, or name the labels alike."
            )
