"""`TextClassifier`: texts in, named labels out, over any driver."""

from __future__ import annotations

import operator
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastbert_tf import (
    ExitRule,
    FastBertClassifier,
    FastBertConfig,
    TextPreprocessor,
    check_preprocessor,
)
from fastbert_tf.checkpoints import check_labels, read_manifest
from fastbert_tf.training import train_classifier

from ..backends.precision import PRECISIONS, check_precision
from ..choosing import (
    AnyDriver,
    check_purpose,
    for_purpose,
    for_throughput,
    rows_per_call_of,
)
from ..engine.pooled_engine import PooledEngine
from ..pooled_driver import PooledDriver
from ..scheduler import check_sizes
from ..single_graph import SingleGraphDriver
from .text_answers import TextAnswer, TextAnswers
from .text_engine import TextEngine
from .text_rows import TextRows, check_are_pairs, stream_rows
from .trained_folder import trained_folder
from .true_labels import true_labels

DEFAULT_SPEED = 0.5


class TextClassifier:
    """Texts in, named labels out.

    It holds what answers (a driver), what turns texts into ids, and what was
    trained on: the names of the classes and whether texts come in pairs.

    Args:
        driver: `PooledDriver`, `SingleGraphDriver` or `Driver`.
        preprocessor: `TextPreprocessor` of the same model.
        labels: C class names in the order of the logits, or None; answers
            have the numbers of the classes then.
        pairs: bool, whether the model was trained on pairs of texts; None if
            that is not known, and both are taken.
        speed: float in [0, 1] or an `ExitRule`, for callers who name none.
        rows_per_call: int, rows that are encoded and answered at once; 256
            batches of a `PooledDriver` by default, 32 rows of the others.

    Example:

    ```python
    classifier = TextClassifier.from_pretrained("model/")
    answers = classifier.predict(["a fine film", "dull"])
    list(answers), answers.probabilities, answers.exit_index
    ```
    """

    def __init__(
        self,
        driver: AnyDriver,
        preprocessor: TextPreprocessor,
        labels: Sequence[str] | None = None,
        pairs: bool | None = None,
        speed: float | ExitRule = DEFAULT_SPEED,
        *,
        rows_per_call: int | None = None,
    ) -> None:
        check_preprocessor(
            preprocessor.vocab_size, preprocessor.sequence_length, driver.config
        )
        check_labels(labels, driver.config.num_classes)
        check_are_pairs(pairs)
        self.driver = driver
        self.preprocessor = preprocessor
        self.labels = None if labels is None else tuple(labels)
        self.pairs = pairs
        self.speed = speed
        if rows_per_call is None:
            rows_per_call = rows_per_call_of(driver)
        check_sizes(rows_per_call=rows_per_call)
        self.rows_per_call = rows_per_call
        self._rule(speed)  # Refuses an impossible one now.

    @classmethod
    def from_pretrained(
        cls,
        path: str | os.PathLike[str],
        precision: str | None = None,
        purpose: str = "throughput",
        max_batch_size: int = 32,
    ) -> TextClassifier:
        """The classifier of a trained model's folder.

        Args:
            path: folder that `save_pretrained` or `fastbert-train` wrote, or
                the name of one on the Hugging Face hub. Bundles are loaded
                by `export.load_classifier`.
            precision: str, as of `build_segments`; `"float32"` by default.
            purpose: str, `"throughput"` answers many texts soonest (a
                `PooledDriver`), `"latency"` one text or one batch (a
                `SingleGraphDriver`).
            max_batch_size: int, rows that run together.

        Raises:
            FileNotFoundError: there is nothing at `path`, or a file of it is
                missing.
            ValueError: it is no trained model, a file is damaged, or an
                argument is not as above.
        """
        check_purpose(purpose)
        precision = check_precision(precision or PRECISIONS[0])
        folder = trained_folder(path)
        manifest = read_manifest(folder)
        preprocessor = TextPreprocessor.from_pretrained(folder)
        model = FastBertClassifier.from_pretrained(folder)
        driver = for_purpose(purpose, model, precision, max_batch_size)
        rows = rows_per_call_of(driver, max_batch_size)
        trained = preprocessor, manifest.labels, manifest.pairs
        return cls(driver, *trained, rows_per_call=rows)

    @classmethod
    def fit(
        cls,
        texts: Any,
        labels: Any,
        checkpoint: str | os.PathLike[str],
        texts_b: Any = None,
        *,
        path: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> TextClassifier:
        """Trains both stages on texts and labels, with progress.

        Args:
            texts, labels, checkpoint, texts_b, **options: as of
                `fastbert_tf.training.train_classifier`.
            path: folder to save the trained model to, for `from_pretrained`
                and `fastbert-export`; None saves nothing.
        """
        trained = train_classifier(
            texts, labels, checkpoint, texts_b, **options
        )
        if path is not None:
            trained.save(path)
        driver = for_throughput(trained.model)
        return cls(driver, trained.preprocessor, trained.labels, trained.pairs)

    @property
    def config(self) -> FastBertConfig:
        """Of the model."""
        return self.driver.config

    def predict(
        self, texts: Any, texts_b: Any = None, speed: Any = None
    ) -> TextAnswers:
        """Answers N texts or pairs of texts, in the order given.

        All answers are held at once, but only `rows_per_call` rows of ids; a
        stream that has no end or does not fit into memory is answered by
        `predict_stream`.

        Args:
            texts: list, tuple, NumPy array, pandas Series, string tensor or
                finite `tf.data.Dataset` of N strings.
            texts_b: the same, the second text of each row, where the model
                was trained on pairs.
            speed: float in [0, 1], one value or `[N]`, or an `ExitRule`; 0
                runs every segment. `self.speed` by default.

        Raises:
            TypeError, ValueError: an argument is not as above, or there are
                pairs where the model is of single texts, or the reverse.
        """
        rows = TextRows.of(texts, texts_b, self.pairs)
        rule = self._rule(speed, rows.num_rows)
        starts = range(0, max(rows.num_rows, 1), self.rows_per_call)
        parts = [slice(i, i + self.rows_per_call) for i in starts]
        return TextAnswers.concatenate(
            [self._answer(rows.part(x), rule.part(x)) for x in parts]
        )

    def predict_stream(
        self, iterable: Iterable[Any], speed: Any = None
    ) -> Iterator[TextAnswer]:
        """Answers texts as they come, in order, with bounded memory.

        `rows_per_call` items are read before the first of them is answered.

        Args:
            iterable: of strings, or of pairs of strings where the model was
                trained on pairs; a `tf.data.Dataset` of either.
            speed: float in [0, 1] or an `ExitRule`, the same for all rows.

        Yields:
            a `TextAnswer` for every item.

        Raises:
            TypeError, ValueError: as of `predict`; for an item once it is
                reached.
        """
        rule = self._rule(speed)
        chunks = stream_rows(iterable, self.rows_per_call, self.pairs)
        return (
            answer
            for rows in chunks
            for answer in self._answer(rows, rule).rows()
        )

    def score(
        self, texts: Any, labels: Any, texts_b: Any = None, speed: Any = None
    ) -> float:
        """Accuracy: the share of rows whose label is the one given.

        A row without an answer counts as wrong.

        Args:
            texts, texts_b, speed: as of `predict`.
            labels: list or array of N class names; of their numbers where
                the model has no names.

        Raises:
            ValueError: a label is not one of the model's, there are none, or
                not as many as texts.
        """
        rows = TextRows.of(texts, texts_b, self.pairs)
        names = self.labels or tuple(range(self.config.num_classes))
        labels = true_labels(labels, names, rows.num_rows)
        answers = self.predict(*rows, speed)
        hits = map(operator.eq, answers.labels, labels)
        return sum(hits) / len(labels)

    def engine(
        self, *, clock: Callable[[], float] = time.monotonic, **options: Any
    ) -> TextEngine:
        """The online engine: requests of many threads, by their deadlines.

        See `TextEngine`. It needs the segments of `purpose="throughput"`.

        Args:
            clock: as of `PooledEngine`.
            **options: of `PooledEngine`, as `max_batch_size`, which is that
                of the driver by default, `max_enqueued_rows`, `observer`.

        Raises:
            ValueError: the driver has no segments.
        """
        if isinstance(self.driver, SingleGraphDriver):
            raise ValueError(
                "An engine needs segments. Received: a classifier of one "
                "graph. Load it with `purpose='throughput'`."
            )
        if isinstance(self.driver, PooledDriver):
            default = {"max_batch_size": self.driver.max_batch_size}
            options = default | options
        engine = PooledEngine(self.driver.segments, clock=clock, **options)
        texts = (self.preprocessor, self.labels, self.pairs, self.speed)
        return TextEngine(engine, *texts, clock)

    def encode(
        self, texts: Any, texts_b: Any = None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The inputs of N texts, for a driver or a segment.

        Args:
            texts, texts_b: as of `predict`.

        Returns:
            dict of int32 `[N, S]`, and bool `[N]`: tokens were cut.
        """
        rows = TextRows.of(texts, texts_b, self.pairs)
        return rows.encode(self.preprocessor)

    def _answer(self, rows: TextRows, rule: ExitRule) -> TextAnswers:
        inputs, truncated = rows.encode(self.preprocessor)
        result = self.driver.predict(inputs, rule)
        return TextAnswers(result, truncated, self.labels)

    def _rule(self, speed: Any, num_rows: int | None = None) -> ExitRule:
        """The rule of `speed` or of the default."""
        speed = self.speed if speed is None else speed
        rule = ExitRule.of(speed, self.config.num_hidden_layers, num_rows)
        if num_rows is None and rule.num_rows is not None:
            raise ValueError(
                "`speed` must be one value or rule for all rows here. "
                f"Received: {rule.num_rows} rows of it."
            )
        return rule
