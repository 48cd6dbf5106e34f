"""Accuracy and cost of a trained model, at any speed, from one run over it."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ..config import FastBertConfig
from ..exit_rule import ExitRule
from ..exits import simulate_exits
from ..inputs import INPUT_NAMES, check_inputs
from ..model import FastBertClassifier
from ..results import ExitResult
from ..uncertainty import normalized_entropy
from .flops import FlopCounts, count_flops


@dataclasses.dataclass(frozen=True)
class ExitTrace:
    """What every exit says of N examples: all that evaluation needs.

    Args:
        exit_logits: float32 `[L, N, C]`.
        labels: int32 `[N]` in [0, C), or None for unlabelled text.
        lengths: int32 `[N]`, real tokens of each example.

    Raises:
        ValueError: there is no example, sizes differ, or a label is not a
            class of the model.
    """

    exit_logits: np.ndarray
    labels: np.ndarray | None
    lengths: np.ndarray

    def __post_init__(self) -> None:
        _, num_examples, num_classes = self.exit_logits.shape
        if num_examples == 0:
            raise ValueError(
                "Nothing to evaluate. Received: 0 examples. Expected at "
                "least one. Check the dataset."
            )
        for name in ("lengths", "labels"):
            array = getattr(self, name)
            if array is not None and array.shape != (num_examples,):
                raise ValueError(
                    f"`{name}` must have shape ({num_examples},), one an "
                    f"example. Received: shape {array.shape}. Batch the "
                    "dataset as (inputs, label)."
                )
        if self.labels is not None:
            _check_labels(self.labels, num_classes)

    @property
    def num_exits(self) -> int:
        """L."""
        return self.exit_logits.shape[0]

    @property
    def mean_uncertainty(self) -> np.ndarray:
        """float64 `[L]`: how unsure each exit is of all examples.

        Where it stays near 1, as with many classes, only a `speed` near 1
        lets anyone leave. Examples without a valid answer do not count; NaN
        if there is no other.
        """
        uncertainty = normalized_entropy(self.exit_logits)  # [L, N]
        valid = np.isfinite(uncertainty)
        total = np.where(valid, uncertainty, 0.0).sum(axis=1, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return total / valid.sum(axis=1)


def _check_labels(labels: np.ndarray, num_classes: int) -> None:
    bad = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(bad):
        raise ValueError(
            f"Labels must be in [0, {num_classes}), the model's classes. "
            f"Received: {labels[bad[0]]} in example {bad[0]}. Use the label "
            "list the model was trained with."
        )


@dataclasses.dataclass(frozen=True)
class SpeedReport:
    """Quality and cost of the network at one speed.

    Args:
        speed: float in [0, 1].
        accuracy: float, share of right answers; None without labels.
        mean_depth: float, blocks an example went through.
        exit_histogram: L ints, examples leaving at each exit.
        flops_per_example: float, full convention, each example at its own
            length.
        flops_speedup: float, full-depth FLOPs (L blocks and the teacher)
            over these, same convention, same lengths.
        paper_flops_speedup: float, the same ratio in the paper's convention,
            every example at the fixed sequence length.
    """

    speed: float
    accuracy: float | None
    mean_depth: float
    exit_histogram: list[int]
    flops_per_example: float
    flops_speedup: float
    paper_flops_speedup: float


@dataclasses.dataclass(frozen=True)
class ExitReport:
    """Quality and cost of a network cut at one exit, for comparison.

    Such a network runs the blocks up to the exit and its classifier alone.
    The last one is the model at full depth, where both speed-ups are 1.

    Args:
        exit_index: int, 0 to L - 1.
        others: as of `SpeedReport`.
    """

    exit_index: int
    accuracy: float | None
    mean_depth: float
    exit_histogram: list[int]
    flops_per_example: float
    flops_speedup: float
    paper_flops_speedup: float


def collect_exits(
    model: FastBertClassifier, dataset: Iterable[Any]
) -> ExitTrace:
    """Runs the model once over a dataset and keeps what every exit says.

    The network is traced once, whatever the batches' sizes and lengths.

    Args:
        model: `FastBertClassifier`.
        dataset: `tf.data.Dataset` or another iterable of `(inputs, label)`
            or of `inputs`: dict of int `[B, S]` and int `[B]`. It must end.

    Returns:
        `ExitTrace` in the order of the dataset.
    """
    spec = tf.TensorSpec([None, None], tf.int32)
    run = tf.function(
        model.exit_logits,
        input_signature=[dict.fromkeys(INPUT_NAMES, spec)],
        autograph=False,
    )
    logits, labels, lengths = [], [], []
    for batch in dataset:
        inputs, label, _ = keras.utils.unpack_x_y_sample_weight(batch)
        inputs = check_inputs(inputs, model.config)
        logits.append(run(inputs).numpy())  # [L, B, C]
        lengths.append(tf.reduce_sum(inputs["padding_mask"], axis=1).numpy())
        if label is not None:
            labels.append(np.asarray(label, np.int32))
    config = model.config
    empty = np.empty((config.num_hidden_layers, 0, config.num_classes))
    return ExitTrace(
        np.concatenate([empty, *logits], axis=1, dtype=np.float32),
        np.concatenate(labels) if labels else None,
        np.concatenate([[], *lengths], dtype=np.int32, casting="unsafe"),
    )


def evaluate_speeds(
    trace: ExitTrace,
    config: FastBertConfig,
    speeds: Sequence[float],
    sequence_length: int,
) -> list[SpeedReport]:
    """One report a speed, from `simulate_exits` on the trace.

    An example without a valid answer counts as wrong, and is warned of.

    Args:
        trace: `ExitTrace` of the model.
        config: `FastBertConfig` of the model.
        speeds: floats in [0, 1].
        sequence_length: int, tokens, for the paper's FLOPs.

    Raises:
        TypeError, ValueError: a speed is not a number in [0, 1].
    """
    costs = _Costs.of(trace, config, sequence_length)
    reports = []
    for speed in speeds:
        rule = ExitRule.of(speed, trace.num_exits)
        result = simulate_exits(trace.exit_logits, rule)
        cost = functools.partial(FlopCounts.leaving_at, exits=rule.asked_exits)
        report = SpeedReport(
            speed=float(speed),
            accuracy=_accuracy(result, trace.labels, f"speed {speed:g}"),
            mean_depth=result.mean_depth,
            exit_histogram=result.exit_histogram(trace.num_exits).tolist(),
            **costs.fields(cost, result.exit_index),
        )
        reports.append(report)
    return reports


def evaluate_exits(
    trace: ExitTrace, config: FastBertConfig, sequence_length: int
) -> list[ExitReport]:
    """One report an exit used alone; the last is full depth.

    Args:
        trace: `ExitTrace` of the model.
        config: `FastBertConfig` of the model.
        sequence_length: int, tokens, for the paper's FLOPs.
    """
    costs = _Costs.of(trace, config, sequence_length)
    reports = []
    for i in range(trace.num_exits):
        result = simulate_exits(trace.exit_logits[i : i + 1], 0.0)
        histogram = [0] * trace.num_exits
        histogram[i] = len(result)
        report = ExitReport(
            exit_index=i,
            accuracy=_accuracy(result, trace.labels, f"exit {i}"),
            mean_depth=i + 1.0,
            exit_histogram=histogram,
            **costs.fields(FlopCounts.alone_at, i),
        )
        reports.append(report)
    return reports


class _Costs(NamedTuple):
    """FLOPs of the examples at their own lengths, and the paper's."""

    full: FlopCounts
    paper: FlopCounts

    @classmethod
    def of(
        cls, trace: ExitTrace, config: FastBertConfig, sequence_length: int
    ) -> _Costs:
        paper = count_flops(config, sequence_length, "paper")
        return cls(count_flops(config, trace.lengths), paper)

    def fields(
        self, cost: Callable[[FlopCounts, Any], Any], exit_index: Any
    ) -> dict[str, float]:
        """The three FLOPs fields of a report."""
        flops = float(np.mean(cost(self.full, exit_index)))
        paper_flops = float(np.mean(cost(self.paper, exit_index)))
        return {
            "flops_per_example": flops,
            "flops_speedup": float(np.mean(self.full.full_depth)) / flops,
            "paper_flops_speedup": self.paper.full_depth / paper_flops,
        }


def _accuracy(
    result: ExitResult, labels: np.ndarray | None, where: str
) -> float | None:
    num_invalid = int(np.sum(~result.is_valid))
    if num_invalid:
        warnings.warn(
            f"{num_invalid} of {len(result)} examples have no valid answer "
            f"at {where}: their logits are not finite. They count as wrong.",
            RuntimeWarning,
            stacklevel=3,
        )
    return None if labels is None else float(np.mean(result.labels == labels))
