"""Engines on tiny models, and what their tests look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastbert_tf.segments import PooledEngine, Segment
from fastbert_tf.segments.engine import EngineObserver
from tests.tiny_models import Inputs, faulty, tiny_inputs

Watch = Callable[[int, int], None]


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Counts(EngineObserver):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.rows = Counter()  # By segment.
        self.largest = 0
        self.answers = []
        self.drops = []
        self.rejects = []

    def launched(
        self, segment_index: int, num_rows: int, max_batch_size: int
    ) -> None:
        assert 1 <= num_rows <= max_batch_size
        self.rows[segment_index] += num_rows
        self.largest = max(self.largest, num_rows)

    def answered(
        self, exit_index: np.ndarray, seconds: float, is_on_time: bool
    ) -> None:
        self.answers.append((exit_index.tolist(), seconds, is_on_time))

    def dropped(self, reason: str, num_rows: int) -> None:
        self.drops.append((reason, num_rows))

    def rejected(self, reason: str) -> None:
        self.rejects.append(reason)


def watched(segments: Sequence[Segment], watch: Watch) -> list[Segment]:
    """`segments` that tell `watch` their place and rows at each launch."""

    def with_watch(place: int, segment: Segment) -> Segment:
        def fault(outputs: dict[str, Any]) -> dict[str, Any]:
            watch(place, int(outputs["logits"].shape[0]))
            return outputs

        return faulty(segment, fault)

    return [with_watch(i, x) for i, x in enumerate(segments)]


def inputs_of_length(length: int, num_rows: int = 1, seed: int = 0) -> Inputs:
    """Rows whose tokens are all real."""
    inputs = tiny_inputs(num_rows, length, seed)
    rng = np.random.default_rng(seed)
    inputs["token_ids"] = rng.integers(1, 23, (num_rows, length))
    inputs["padding_mask"][:] = 1
    return inputs


def assert_nothing_is_left(engine: PooledEngine) -> None:
    """No row, place or tensor, after `stop`."""
    tracker, executor = engine._tracker, engine._worker._executor
    assert tracker.scheduler.num_rows == 0
    assert engine.pool_sizes == [0] * len(engine.segments)
    assert tracker.table.num_free == engine.max_enqueued_rows
    assert set(tracker.table.requests) == {None}
    assert not tracker.ended
    assert not any(map(len, executor._pools.values()))
