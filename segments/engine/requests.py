"""Requests of an engine, their answers and their errors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple

import numpy as np

from fastbert_tf import INPUT_NAMES, ExitResult, FastBertConfig

from ..answers import Answers
from ..buckets import bucket_lengths, cut
from ..step import CheckedRows

LATE_CHOICES = ("error", "deepest")


class EngineAnswer(NamedTuple):
    """What a request gets.

    Args:
        result: `ExitResult` of its B rows, in their order. A row whose
            logits are not finite is marked there (`is_valid`).
        is_late: bool `[B]`. The row's own exit had not answered when its
            deadline came or could no longer be kept, and this is the answer
            of the deepest exit asked before; or it answered after the
            deadline. True only where `late="deepest"` was asked for.
    """

    result: ExitResult
    is_late: np.ndarray


class Overloaded(RuntimeError):
    """A request was not admitted; nothing was computed for it.

    Args:
        reason: str, `"full"` (no room for its rows), `"deadline"` (it has
            passed, or by the estimates would not be kept) or `"stopped"`.
        retry_after_seconds: float, above 0, when trying again may help.
    """

    def __init__(self, reason: str, retry_after_seconds: float) -> None:
        super().__init__(
            f"The request was not admitted. Received: {reason}. Expected "
            f"room for it; try again in {retry_after_seconds:.3g} seconds."
        )
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class EngineStopped(Overloaded):
    """The engine stopped before the request was answered, or admitted."""

    def __init__(self) -> None:
        super().__init__("stopped", 1.0)


class DeadlineExceeded(RuntimeError):
    """An admitted request was not answered by its deadline."""


class SegmentFailed(RuntimeError):
    """A segment raised for a batch that held rows of this request.

    The error it raised is the `__cause__`.
    """


@dataclasses.dataclass(eq=False)
class Request:
    """Rows that were submitted together.

    Args:
        future: `Future` of an `EngineAnswer`.
        num_rows: int, B.
        start, deadline: float, on the engine's clock.
        keeps_deepest: bool, answers of exits are kept in case it is late.
    """

    future: Future
    num_rows: int
    start: float
    deadline: float
    keeps_deepest: bool

    def __post_init__(self) -> None:
        self.row_ids = np.empty(self.num_rows, np.int64)
        self.is_late = np.zeros(self.num_rows, bool)
        self.is_inside = np.zeros(self.num_rows, bool)
        self.has_ended = False


def new_request(
    num_rows: int, now: float, deadline_seconds: float | None, late: str
) -> Request:
    """A request that comes `now`; what is given is checked.

    Raises:
        ValueError: `late` is unknown, or the deadline is not a number.
    """
    if late not in LATE_CHOICES:
        raise ValueError(
            f"`late` must be one of {list(LATE_CHOICES)}. Received: "
            f"late={late!r}."
        )
    seconds = math.inf if deadline_seconds is None else deadline_seconds
    if math.isnan(seconds):
        raise ValueError(
            "`deadline_seconds` must be a number of seconds from now. "
            f"Received: {deadline_seconds!r}. Leave it out for none."
        )
    keeps_deepest = late == "deepest"
    return Request(Future(), num_rows, now, now + seconds, keeps_deepest)


class RowTable:
    """A place for each row inside; row ids are places here.

    Args:
        num_rows: int, the places there are.
        config: `FastBertConfig`.
    """

    def __init__(self, num_rows: int, config: FastBertConfig) -> None:
        self.config = config
        num_exits = config.num_hidden_layers
        self.thresholds = np.empty((num_rows, num_exits), np.float32)
        self.keeps_deepest = np.zeros(num_rows, bool)
        self.answers = Answers(num_rows, config)
        self.requests = [None] * num_rows
        self.places = np.zeros(num_rows, np.int64)  # In their request.
        self.inputs = [None] * num_rows
        self._free = list(range(num_rows))

    @property
    def num_free(self) -> int:
        """Places that hold no row."""
        return len(self._free)

    def add(self, request: Request, rows: SplitRows) -> None:
        """Gives the rows of a request their ids."""
        count = request.num_rows
        ids, self._free = self._free[:count], self._free[count:]
        request.row_ids[:] = ids
        request.is_inside[:] = True
        self.thresholds[request.row_ids] = rows.thresholds
        self.keeps_deepest[request.row_ids] = request.keeps_deepest
        self.places[request.row_ids] = np.arange(count)
        for row_id, inputs in zip(ids, rows.inputs, strict=True):
            self.requests[row_id] = request
            self.inputs[row_id] = inputs

    def free(self, row_ids: np.ndarray) -> None:
        """Makes room for others where these rows were."""
        self.answers.clear(row_ids)
        for row_id in row_ids.tolist():
            self.requests[row_id] = self.inputs[row_id] = None
            self._free.append(row_id)


@dataclasses.dataclass(frozen=True)
class SplitRows:
    """The rows of a request, each padded to the bucket of its own length.

    Args:
        inputs: list of int32 `[3, bucket]`, in the order of `INPUT_NAMES`.
        thresholds: float32 `[B, L]`, of the request's `ExitRule`.
        may_leave: bool `[B]`, before the last exit.
        buckets: int64 `[B]`.
    """

    inputs: list[np.ndarray]
    thresholds: np.ndarray
    may_leave: np.ndarray
    buckets: np.ndarray

    @classmethod
    def of(
        cls, inputs: Mapping[str, Any], speed: Any, config: FastBertConfig
    ) -> SplitRows:
        """Checks and splits what `PooledEngine.submit` takes."""
        given = CheckedRows.of(inputs, speed, config)
        # Rows of several requests run together.
        given.rule.check_default_score("the engine")
        arrays = {name: x.numpy() for name, x in given.inputs.items()}
        buckets = bucket_lengths(given.lengths, config.max_position_embeddings)
        padded = cut(arrays, int(buckets.max(initial=1)))
        stacked = np.stack([padded[name] for name in INPUT_NAMES], 1)
        rows = [x[:, :n] for x, n in zip(stacked, buckets, strict=True)]
        thresholds = given.thresholds
        may_leave = np.any(thresholds > 0, axis=1)
        return cls(rows, thresholds, may_leave, buckets)
