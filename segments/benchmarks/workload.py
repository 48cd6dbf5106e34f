"""`Workload`: a model and rows whose exits are known, for benchmarks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from fastbert_tf import (
    INPUT_NAMES,
    ExitResult,
    FastBertClassifier,
    FastBertConfig,
    TextPreprocessor,
    normalized_entropy,
    simulate_exits,
)
from fastbert_tf.checkpoints import read_manifest
from fastbert_tf.data import TableReader
from fastbert_tf.evaluation import ExitTrace, collect_exits, count_flops

from ..buckets import cut, row_lengths

_TRACE_BATCH = 32


@dataclasses.dataclass(frozen=True)
class Setting:
    """A speed to run a workload at, and what it must give.

    Args:
        speed: float, or float32 `[N]`, one a row.
        exit_index: int `[N]`, where each row leaves, by `simulate_exits`.
        accuracy: float; None for rows without labels or of a random model.
        mean_depth: float, blocks a row.
        flops_speedup: float, over full depth, each row at its own length.
        exits: tuple of int, the exits that are asked.
    """

    speed: float | np.ndarray
    exit_index: np.ndarray
    accuracy: float | None
    mean_depth: float
    flops_speedup: float
    exits: tuple[int, ...]

    @property
    def exit_histogram(self) -> list[int]:
        """L counts of rows, by the exit they leave at."""
        return np.bincount(
            self.exit_index, minlength=self.exits[-1] + 1
        ).tolist()

    @property
    def name(self) -> str:
        """`speed 0.5`, or `depth 3.00` where every row has its own."""
        if np.ndim(self.speed):
            return f"depth {self.mean_depth:.2f}"
        return f"speed {self.speed:.4g}"


@dataclasses.dataclass(frozen=True)
class Workload:
    """A model, N rows, and what every exit says of them.

    Args:
        name: str, for the record.
        model: `FastBertClassifier`.
        inputs: dict of int32 `[N, S]`.
        trace: `ExitTrace` of the rows, without labels for random weights.
        instances: list of dict, the texts as servers take them; empty for
            random weights.
    """

    name: str
    model: FastBertClassifier
    inputs: Mapping[str, np.ndarray]
    trace: ExitTrace
    instances: Sequence[Mapping[str, str]] = ()

    @property
    def num_rows(self) -> int:
        """N."""
        return len(self.trace.lengths)

    def at_speed(
        self,
        speed: float | np.ndarray,
        exits: tuple[int, ...] | None = None,
    ) -> Setting:
        """The setting of a speed, and of the exits asked if not all are."""
        exits = exits or tuple(range(self.trace.num_exits))
        result = simulate_exits(self.trace.exit_logits, speed, exits=exits)
        return self.described(result, speed, exits)

    def cut_at(self, exit_index: int) -> Setting:
        """A network cut at an exit, which answers every row."""
        logits = self.trace.exit_logits[exit_index : exit_index + 1]
        result = simulate_exits(logits, 0.0)
        everywhere = np.full(self.num_rows, exit_index, np.int32)
        result = dataclasses.replace(result, exit_index=everywhere)
        return self.described(result, 0.0, (exit_index,))

    def described(
        self,
        result: ExitResult,
        speed: float | np.ndarray,
        exits: tuple[int, ...],
    ) -> Setting:
        """What answers are worth and cost.

        Args:
            result: `ExitResult` of the rows.
            speed: float, or `[N]`, they were given at; 0 asks no student.
            exits: tuple of int, those asked.
        """
        accuracy = None
        if self.trace.labels is not None:
            accuracy = float(np.mean(result.labels == self.trace.labels))
        flops = count_flops(self.model.config, self.trace.lengths)
        asked = exits if np.any(speed) else exits[-1:]
        spent = flops.leaving_at(result.exit_index, asked)
        return Setting(
            speed,
            result.exit_index,
            accuracy,
            result.mean_depth,
            float(np.sum(flops.full_depth) / np.sum(spent)),
            exits,
        )

    def at_depth(self, mean_depth: float) -> Setting:
        """The setting whose speed comes closest to a mean depth."""
        low, high = 0.0, 1.0
        for _ in range(30):  # Depth falls as speed grows.
            middle = (low + high) / 2
            result = simulate_exits(self.trace.exit_logits, middle)
            if result.mean_depth > mean_depth:
                low = middle
            else:
                high = middle
        return self.at_speed(high)

    def at_histogram(self, exit_histogram: Sequence[float]) -> Setting:
        """The setting in which so many rows leave at each exit.

        Every row is given the speed that lets it go where it is told to:
        between its uncertainty there and the least of those before. Which
        rows leave where is drawn at random.

        Args:
            exit_histogram: L counts or shares.

        Raises:
            ValueError: they are not L, or a row cannot leave where it is
                told to; `forced_workload` makes rows that can.
        """
        return self.at_speed(_forcing_speeds(self.trace, exit_histogram))


def trained_workload(
    model_dir: str, test_path: str, num_rows: int | None = None
) -> Workload:
    """A trained model and the first rows of a labelled file.

    Args:
        model_dir: folder that training wrote.
        test_path: TSV, CSV or JSONL.
        num_rows: int, or None for all.
    """
    manifest = read_manifest(model_dir)
    preprocessor = TextPreprocessor.from_pretrained(model_dir)
    model = FastBertClassifier.from_pretrained(model_dir)
    names = manifest.labels or [str(i) for i in range(manifest.num_classes)]
    reader = TableReader(test_path, pairs=manifest.pairs)
    rows = list(itertools.islice(reader.rows(), num_rows))
    for row in rows:
        if row.label not in names:
            raise ValueError(
                f"{test_path}, line {row.line}: the model does not know this "
                f"label. Received: {row.label!r}. Expected one of {names}."
            )
    pairs = [row.text_b for row in rows] if reader.pairs else None
    encoded, _ = preprocessor.encode([row.text_a for row in rows], pairs)
    inputs = {name: encoded[name].numpy() for name in INPUT_NAMES}
    labels = np.array([names.index(row.label) for row in rows], np.int32)
    instances = [{"text": row.text_a} for row in rows]
    if pairs is not None:
        for instance, text in zip(instances, pairs, strict=True):
            instance["text_b"] = text
    workload = _workload(model_dir, model, inputs, labels)
    return dataclasses.replace(workload, instances=instances)


def forced_workload(
    config: FastBertConfig, lengths: np.ndarray, seed: int = 7
) -> Workload:
    """A model of random weights whose rows can be told where to leave.

    Its exits are the surer the deeper they are, by the biases of their last
    layer; the work is that of any model of these sizes.

    Args:
        config: `FastBertConfig`.
        lengths: int `[N]`, tokens of each row.
        seed: int, of weights and ids.
    """
    keras.utils.set_random_seed(seed)
    model = FastBertClassifier(config)
    num_blocks = config.num_hidden_layers
    for i, classifier in enumerate(model.exit_classifiers):
        kernel, bias = classifier.logits_dense.weights
        kernel.assign(0.01 * np.asarray(kernel))
        value = np.zeros(bias.shape, np.float32)
        value[0] = 0.5 + 5.0 * (i + 1) / num_blocks
        bias.assign(value)
    rng = np.random.default_rng(seed)
    mask = np.arange(max(lengths))[None] < np.asarray(lengths)[:, None]
    ids = rng.integers(1, config.vocab_size, mask.shape) * mask
    arrays = (ids, np.zeros_like(ids), mask)
    inputs = {
        name: np.asarray(x, np.int32)
        for name, x in zip(INPUT_NAMES, arrays, strict=True)
    }
    return _workload("random weights", model, inputs, None)


def _forcing_speeds(
    trace: ExitTrace, exit_histogram: Sequence[float]
) -> np.ndarray:
    shares = np.asarray(exit_histogram, np.float64)
    if shares.shape != (trace.num_exits,) or not shares.sum() > 0:
        raise ValueError(
            f"`exit_histogram` must have {trace.num_exits} counts, one an "
            f"exit. Received: {list(exit_histogram)}."
        )
    num_rows = len(trace.lengths)
    ends = np.rint(np.cumsum(shares) / shares.sum() * num_rows).astype(int)
    exit_index = np.searchsorted(ends, np.arange(num_rows), side="right")
    np.random.default_rng(7).shuffle(exit_index)
    uncertainty = normalized_entropy(trace.exit_logits)  # [L, N]
    rows = np.arange(num_rows)
    least = np.minimum.accumulate(uncertainty, axis=0)
    before = np.where(
        exit_index > 0, least[exit_index - 1, rows], np.float32(1.0)
    )
    speed = (before + uncertainty[exit_index, rows]) / 2
    # No student is as sure as this, in another precision either.
    last = exit_index == trace.num_exits - 1
    speed[last] = least[max(trace.num_exits - 2, 0), last] / 2
    result = simulate_exits(trace.exit_logits, speed)
    if not np.array_equal(result.exit_index, exit_index):
        raise ValueError(
            "Some rows cannot leave where `exit_histogram` says: an exit "
            "before is as sure. Use rows of `forced_workload`."
        )
    return speed


def _workload(
    name: str,
    model: FastBertClassifier,
    inputs: dict[str, np.ndarray],
    labels: np.ndarray | None,
) -> Workload:
    """Rows with the trace of them, by length so that little is padded."""
    lengths = row_lengths(inputs["padding_mask"])
    order = np.argsort(lengths, kind="stable")
    batches = []
    for rows in np.split(order, range(_TRACE_BATCH, len(order), _TRACE_BATCH)):
        batches.append(cut(inputs, int(lengths[rows].max()), rows))
    trace = collect_exits(model, batches)
    back = np.argsort(order)
    trace = ExitTrace(
        trace.exit_logits[:, back], labels, lengths.astype(np.int32)
    )
    return Workload(name, model, inputs, trace)
