"""`ExitResult`: logits, uncertainty and exit of every row."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

INVALID_LABEL = -1


@dataclasses.dataclass(frozen=True)
class ExitResult:
    """Answers of B rows, in the order the rows were given.

    Args:
        logits: float32 `[B, C]`, of the exit that answered.
        uncertainty: float32 `[B]` in [0, 1], of the same exit.
        exit_index: int32 `[B]`, the segment that answered, 0 to L - 1. The
            depth of a row is `exit_index + 1` blocks.

    A row whose logits are not finite even at the last segment has no answer:
    `is_valid` is False there, its label is -1 and its probabilities are NaN.
    The rows beside it are untouched.
    """

    logits: np.ndarray
    uncertainty: np.ndarray
    exit_index: np.ndarray

    def __post_init__(self) -> None:
        rows = self.logits.shape[0]
        assert self.logits.ndim == 2
        assert self.uncertainty.shape == self.exit_index.shape == (rows,)

    @classmethod
    def concatenate(cls, results: Sequence[ExitResult]) -> ExitResult:
        """The rows of several results, one after another; at least one."""
        return cls(
            np.concatenate([result.logits for result in results]),
            np.concatenate([result.uncertainty for result in results]),
            np.concatenate([result.exit_index for result in results]),
        )

    def take(self, rows: np.ndarray) -> ExitResult:
        """The rows named by int `[K]`, in that order."""
        return ExitResult(
            self.logits[rows], self.uncertainty[rows], self.exit_index[rows]
        )

    def __len__(self) -> int:
        return self.logits.shape[0]

    @property
    def is_valid(self) -> np.ndarray:
        """bool `[B]`: the row's logits are finite."""
        return np.isfinite(self.logits).all(axis=-1)

    @property
    def labels(self) -> np.ndarray:
        """int32 `[B]`: the likeliest class, -1 where there is no answer."""
        best = self.logits.argmax(axis=-1).astype(np.int32)
        return np.where(self.is_valid, best, np.int32(INVALID_LABEL))

    @property
    def probabilities(self) -> np.ndarray:
        """float32 `[B, C]`: softmax of the logits, NaN without an answer."""
        finite = np.where(self.is_valid[:, None], self.logits, np.nan)
        with np.errstate(over="ignore"):
            shifted = finite - finite.max(axis=-1, keepdims=True)
        exponentials = np.exp(shifted)
        return exponentials / exponentials.sum(axis=-1, keepdims=True)

    @property
    def mean_depth(self) -> float:
        """Blocks a row went through, averaged; NaN for no rows."""
        return float(np.mean(self.exit_index + 1.0)) if len(self) else np.nan

    def exit_histogram(self, num_exits: int) -> np.ndarray:
        """int64 `[num_exits]`: how many rows left at each exit."""
        return np.bincount(self.exit_index, minlength=num_exits)
