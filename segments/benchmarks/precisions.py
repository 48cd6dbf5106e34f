"""The `precision` scenario: accuracy and exits of bfloat16 and float32."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from fastbert_tf import simulate_exits

from ..backends.building import build_segments
from .variants import Batches
from .workload import Setting, Workload


@dataclasses.dataclass(frozen=True)
class PrecisionRecord:
    """bfloat16 beside float32 at one setting.

    Args:
        workload, setting, num_rows: of the run.
        float32_accuracy, bfloat16_accuracy: float.
        exits_changed: float, share of rows that leave elsewhere.
        labels_changed: float, share of rows answered otherwise.
    """

    workload: str
    setting: str
    num_rows: int
    float32_accuracy: float | None
    bfloat16_accuracy: float | None
    exits_changed: float
    labels_changed: float
    scenario: str = "precision"


def run_precision(
    workload: Workload, settings: Sequence[Setting]
) -> Iterator[PrecisionRecord]:
    """Compares what the segments of both precisions say of every row.

    Args:
        workload: `Workload`.
        settings: list of `Setting` of it.
    """
    logits = exit_logits(workload, "bfloat16")
    labels = workload.trace.labels
    for setting in settings:
        one = simulate_exits(workload.trace.exit_logits, setting.speed)
        other = simulate_exits(logits, setting.speed)
        accuracies = [None, None]
        if labels is not None:
            accuracies = [
                float(np.mean(x.labels == labels)) for x in (one, other)
            ]
        yield PrecisionRecord(
            workload.name,
            setting.name,
            workload.num_rows,
            *accuracies,
            float(np.mean(one.exit_index != other.exit_index)),
            float(np.mean(one.labels != other.labels)),
        )


def exit_logits(workload: Workload, precision: str) -> np.ndarray:
    """float32 `[L, N, C]`, by the segments of a precision."""
    segments = build_segments(workload.model, precision)
    result = np.empty_like(workload.trace.exit_logits)
    longest = workload.model.config.max_position_embeddings
    for rows, inputs in Batches.of(workload.inputs, 32, longest):
        arguments = (inputs,)
        for i, segment in enumerate(segments):
            outputs = segment.run(*arguments)
            result[i, rows] = outputs["logits"].numpy()
            arguments = (outputs["hidden_states"], inputs["padding_mask"])
    return result
