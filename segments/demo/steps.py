"""FastBERT end to end on the texts of an installation, step by step."""

from __future__ import annotations

import dataclasses
import functools
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from fastbert_tf import FastBertClassifier, TextPreprocessor, load_dataset
from fastbert_tf.data import TableReader
from fastbert_tf.evaluation import (
    ExitReport,
    SpeedReport,
    collect_exits,
    evaluate_exits,
    evaluate_speeds,
    format_table,
    plot_trade_off,
)
from fastbert_tf.training import (
    TrainingSettings,
    distill_students,
    train_backbone,
)

from ..backends.building import build_static
from ..buckets import all_buckets
from ..classifier.text_classifier import TextClassifier
from ..driver import Driver
from ..segment import Segment
from ..timing import Timing, time_in_turn
from .corpus import (
    PACKAGES,
    SPLITS,
    LabelledText,
    make_corpus,
    source_folders,
    write_corpus,
)
from .encoder import NUM_LAYERS, encoder_folder

Inputs = Mapping[str, Any]

FULL_DEPTH = "full depth"
# Short texts of five classes leave much unsure: under 0.5 nearly all go deep.
SPEEDS = (0.0, 0.5, 0.7, 0.8, 0.9)
PREDICTION_SPEED = 0.8
# Nine of ten paragraphs fit; the others are truncated.
SEQUENCE_LENGTH = 48
# Most have 10 to 20 tokens: with training's boundaries, a fifth more padding.
_BUCKET_BOUNDARIES = tuple(all_buckets(SEQUENCE_LENGTH, SEQUENCE_LENGTH))
BATCH_SIZE = 32
# Batch size to the number of batches that are timed.
TIMED_BATCHES = {32: 4, 1: 24}
TIMED_ROUNDS = 3
NEW_TEXTS = (
    "Sorts the elements of an array along one axis, in place.",
    "Opens a socket and waits until the server answers.",
    "Fine-tunes a pretrained language model on a list of prompts.",
)
_TEXT_WIDTH = 60


class Reports(NamedTuple):
    """Of the test texts."""

    by_speed: list[SpeedReport]
    by_exit: list[ExitReport]


@dataclasses.dataclass(frozen=True)
class Demonstration:
    """The steps of `fastbert-demo`, in the order of the methods.

    Args:
        work_dir: Path. Texts, model and curve are written there; those of an
            earlier run are replaced.
        seed: int, of the texts, the weights, dropout and shuffling.
        rows_per_class: int or None, an upper limit; all splits together.
        settings: `TrainingSettings` of both stages.
    """

    work_dir: Path
    seed: int
    rows_per_class: int | None
    settings: TrainingSettings

    @property
    def model_dir(self) -> Path:
        """The folder that `fastbert-predict` takes."""
        return self.work_dir / "model"

    @property
    def plot_path(self) -> Path:
        """The trade-off curve."""
        return self.work_dir / "curve.png"

    def text_path(self, split: str) -> Path:
        """The texts of a split."""
        return self.work_dir / "data" / f"{split}.tsv"

    def write_texts(self) -> dict[str, list[LabelledText]]:
        """Collects the texts and writes the three splits."""
        corpus = make_corpus(source_folders(), self.seed, self.rows_per_class)
        write_corpus(corpus, self.work_dir / "data")
        return corpus

    def load_encoder(self) -> tuple[FastBertClassifier, TextPreprocessor]:
        """The pretrained encoder, stacked, with fresh exit classifiers."""
        folder = str(encoder_folder())
        keras.utils.set_random_seed(self.seed)
        preprocessor = TextPreprocessor.from_pretrained(
            folder, sequence_length=SEQUENCE_LENGTH, template="bert"
        )
        model = FastBertClassifier.from_pretrained(
            folder, num_classes=len(PACKAGES), num_layers=NUM_LAYERS
        )
        return model, preprocessor

    def dataset(
        self,
        split: str,
        preprocessor: TextPreprocessor,
        batch_size: int = BATCH_SIZE,
    ) -> tf.data.Dataset:
        """A split as batches; train is shuffled."""
        return load_dataset(
            self.text_path(split),
            preprocessor,
            batch_size=batch_size,
            shuffle=split == "train",
            seed=self.seed,
            labels=list(PACKAGES),
            bucket_boundaries=_BUCKET_BOUNDARIES,
        )

    def train_teacher(
        self, model: FastBertClassifier, preprocessor: TextPreprocessor
    ) -> None:
        """Stage 1."""
        train, dev, _ = (self.dataset(s, preprocessor) for s in SPLITS)
        train_backbone(model, train, dev, self.settings)

    def train_students(
        self, model: FastBertClassifier, preprocessor: TextPreprocessor
    ) -> None:
        """Stage 2."""
        train, dev, _ = (self.dataset(s, preprocessor) for s in SPLITS)
        distill_students(model, train, dev, self.settings)

    def save(
        self, model: FastBertClassifier, preprocessor: TextPreprocessor
    ) -> None:
        """Writes the model folder."""
        model.save_pretrained(
            str(self.model_dir),
            preprocessor=preprocessor,
            labels=list(PACKAGES),
            training={
                **dataclasses.asdict(self.settings),
                "batch_size": BATCH_SIZE,
                "seed": self.seed,
                "pairs": False,
            },
        )

    def load_classifier(self) -> TextClassifier:
        """Reads the folder back: what follows is what a user would see."""
        return TextClassifier.from_pretrained(self.model_dir)

    def load_model(self) -> FastBertClassifier:
        """The same as a Keras model, for what every exit says."""
        return FastBertClassifier.from_pretrained(str(self.model_dir))

    def evaluate(
        self, model: FastBertClassifier, preprocessor: TextPreprocessor
    ) -> Reports:
        """Accuracy and FLOPs on the test texts, and their curve."""
        trace = collect_exits(model, self.dataset("test", preprocessor))
        config = model.config
        reports = Reports(
            evaluate_speeds(trace, config, SPEEDS, SEQUENCE_LENGTH),
            evaluate_exits(trace, config, SEQUENCE_LENGTH),
        )
        plot_trade_off(str(self.plot_path), *reports)
        return reports

    def time(
        self, model: FastBertClassifier, classifier: TextClassifier
    ) -> dict[int, Timing]:
        """Seconds at full depth and at every speed, by batch size."""
        full_depth = build_static(model, model.config.num_hidden_layers - 1)
        driver = Driver(classifier.driver.segments)
        timings = {}
        for batch_size, num_batches in TIMED_BATCHES.items():
            test = self.dataset("test", classifier.preprocessor, batch_size)
            batches = [inputs for inputs, _ in test.take(num_batches)]
            runs = {FULL_DEPTH: functools.partial(_ask, full_depth, batches)}
            for speed in SPEEDS:
                runs[speed_name(speed)] = functools.partial(
                    _answer, driver, batches, speed
                )
            timings[batch_size] = time_in_turn(runs, TIMED_ROUNDS)
        return timings

    def examples(self) -> list[LabelledText]:
        """The first test text of each class, then new ones of none."""
        first = {}
        for row in TableReader(self.text_path("test")).rows():
            first.setdefault(row.label, LabelledText(row.label, row.text_a))
        new = [LabelledText("-", text) for text in NEW_TEXTS]
        return [first[label] for label in PACKAGES] + new


def speed_name(speed: float) -> str:
    """`speed 0.5`."""
    return f"speed {speed:g}"


def _ask(segment: Segment, batches: Sequence[Inputs]) -> None:
    for inputs in batches:
        segment.run(inputs)["logits"].numpy()


def _answer(driver: Driver, batches: Sequence[Inputs], speed: float) -> None:
    for inputs in batches:
        driver.predict(inputs, speed)


def trade_off_table(reports: Reports, timings: Mapping[int, Timing]) -> str:
    """Full depth and every speed: accuracy, depth, FLOPs and time."""
    lines = [reports.by_exit[-1], *reports.by_speed]
    names = [FULL_DEPTH, *map(speed_name, SPEEDS)]
    times = {
        f"time, batch {batch_size}": [
            f"{timing.speedup(name, FULL_DEPTH):.2f}x" for name in names
        ]
        for batch_size, timing in timings.items()
    }
    return format_table(
        {
            "": names,
            "accuracy %": [f"{100 * line.accuracy:.1f}" for line in lines],
            "mean depth": [f"{line.mean_depth:.2f}" for line in lines],
            "FLOPs": [f"{line.flops_speedup:.2f}x" for line in lines],
            **times,
        }
    )


def exit_table(reports: Reports) -> str:
    """How many test texts left at each segment, by speed."""
    counts = [report.exit_histogram for report in reports.by_speed]
    columns = {
        f"M{i}": [str(count) for count in column]
        for i, column in enumerate(zip(*counts, strict=True))
    }
    return format_table({"": [speed_name(s) for s in SPEEDS], **columns})


def prediction_table(
    classifier: TextClassifier, rows: Sequence[LabelledText]
) -> str:
    """What the segments answer to a few texts, and which of them did."""
    texts = [row.text for row in rows]
    answers = classifier.predict(texts, speed=PREDICTION_SPEED)
    probabilities = answers.probabilities.max(axis=1)
    return format_table(
        {
            "left at": [f"M{i}" for i in answers.exit_index],
            "answer": list(answers),
            "probability": [f"{p:.2f}" for p in probabilities],
            "truth": [row.label for row in rows],
            "text": [_shortened(text) for text in texts],
        }
    )


def _shortened(text: str) -> str:
    return textwrap.shorten(text, _TEXT_WIDTH, placeholder=" ...")
