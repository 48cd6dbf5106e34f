"""`Answers`: results of rows, gathered on the host as they leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastbert_tf import ExitResult, FastBertConfig

# Of a row that has no answer yet; -1 is the exit before block 0.
_NONE = -2


class Answers:
    """A place for the answer of each of B rows.

    Args:
        num_rows: int, B.
        config: `FastBertConfig`, for C.
    """

    def __init__(self, num_rows: int, config: FastBertConfig) -> None:
        self._logits = np.empty((num_rows, config.num_classes), np.float32)
        self._uncertainty = np.empty(num_rows, np.float32)
        self._exit_index = np.full(num_rows, _NONE, np.int32)

    def add(
        self,
        row_ids: np.ndarray,
        leaves: np.ndarray,
        outputs: Mapping[str, Any],
        exit_index: int,
    ) -> None:
        """Keeps what a segment says of the rows that leave there.

        Args:
            row_ids: int `[B]`, whose rows the outputs are.
            leaves: bool `[B]`.
            outputs: of `Segment.run`; read only if a row leaves.
            exit_index: int, the segment's.
        """
        if not leaves.any():
            return
        row_ids = row_ids[leaves]
        self._logits[row_ids] = np.asarray(outputs["logits"])[leaves]
        uncertainty = np.asarray(outputs["uncertainty"])
        self._uncertainty[row_ids] = uncertainty[leaves]
        self._exit_index[row_ids] = exit_index

    def result(self) -> ExitResult:
        """All of them, in the order of the rows; each must have left."""
        return self.take(slice(None))

    def take(self, row_ids: np.ndarray | slice) -> ExitResult:
        """Those of rows, int `[K]`, that have left."""
        assert self.has(row_ids).all()
        return ExitResult(
            self._logits[row_ids],
            self._uncertainty[row_ids],
            self._exit_index[row_ids],
        )

    def has(self, row_ids: np.ndarray | slice | int) -> np.ndarray:
        """bool `[K]`: these rows have an answer."""
        return self._exit_index[row_ids] != _NONE

    def clear(self, row_ids: np.ndarray) -> None:
        """Forgets the answers of rows, int `[K]`."""
        self._exit_index[row_ids] = _NONE
