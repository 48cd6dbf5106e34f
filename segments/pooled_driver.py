"""Runs any number of rows, in full batches of survivors of many batches."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fastbert_tf import ExitResult

from .answers import Answers
from .buckets import bucket_lengths, cut
from .compaction import Compaction
from .row_state import RowState
from .scheduler import Plan, Scheduler, run_to_end
from .segment import Segment
from .step import CheckedRows, Step, check_segments, start_step
from .survivor_pool import take


class PooledDriver:
    """Takes any number of rows through the segments in full batches.

    Each row is padded to the bucket of its own length. Survivors wait on the
    device, in a pool per segment and bucket, until `max_batch_size` of them
    are there, so that batches do not shrink on the way; `scheduler` says
    which pool runs next. What a row is answered does not depend on the rows
    beside it, but for the rounding of the last bits. A student that no row of
    a batch asks is not run.

    Args:
        segments: list of `Segment` in order, from `build_segments`.
        max_batch_size: int, rows that run together.

    Example:

    ```python
    driver = PooledDriver(build_segments(model), max_batch_size=32)
    result = driver.predict(preprocessor(texts), speed=0.5)
    ```
    """

    def __init__(
        self, segments: Sequence[Segment], max_batch_size: int = 32
    ) -> None:
        self.segments = check_segments(segments)
        self.config = self.segments[0].config
        self.max_batch_size = max_batch_size
        self.compaction = Compaction(
            self.config.hidden_size, self.segments[0].precision
        )
        self._new_scheduler()  # Refuses an impossible size now.

    def predict(self, inputs: Mapping[str, Any], speed: Any) -> ExitResult:
        """Answers B rows, each by the first exit sure enough of it.

        Args:
            inputs: dict of integer `[B, S]`: `token_ids`, `token_type_ids`,
                `padding_mask`; B may be 0, and far above `max_batch_size`.
            speed: float in [0, 1], one value or `[B]`, or an `ExitRule`. 0
                runs every segment. Changing it retraces nothing.

        Returns:
            `ExitResult` in the order of the rows.

        Raises:
            TypeError, ValueError: an input or `speed` is not as above.
        """
        given = CheckedRows.of(inputs, speed, self.config)
        inputs = {name: x.numpy() for name, x in given.inputs.items()}
        buckets = given.lengths
        if self.max_batch_size > 1:  # Alone, a row needs no padding.
            longest = self.config.max_position_embeddings
            buckets = bucket_lengths(buckets, longest)
        scheduler = self._new_scheduler()
        for bucket in np.unique(buckets).tolist():
            scheduler.add(bucket, np.flatnonzero(buckets == bucket).tolist())
        scheduler.close()
        answers = Answers(given.num_rows, self.config)
        run_to_end(scheduler, _Executor(self, inputs, given, answers))
        return answers.result()

    def _new_scheduler(self) -> Scheduler:
        return Scheduler(len(self.segments), self.max_batch_size)


class _Executor:
    """Runs the plans of one `predict` and keeps the tensors of its pools.

    A pool here is the `RowState`s that came in, whose ids follow each other as
    those of the scheduler's pool do.
    """

    def __init__(
        self,
        driver: PooledDriver,
        inputs: Mapping[str, np.ndarray],
        given: CheckedRows,
        answers: Answers,
    ) -> None:
        self._driver = driver
        self._inputs = inputs
        self._rule = given.rule
        self._thresholds = given.thresholds
        self._answers = answers
        self._pools = defaultdict(deque)

    def launch(self, plan: Plan) -> Step:
        """Starts a plan; nothing is waited for."""
        if plan.segment == 0:
            rows = self._first_rows(plan)
        else:
            pool = self._pools[plan.segment, plan.bucket]
            rows = take(pool, len(plan.row_ids))
            assert tuple(rows.row_ids) == plan.row_ids
        return start_step(self._driver.segments[plan.segment], rows)

    def collect(self, plan: Plan, step: Step) -> list[bool]:
        """Waits for a plan, keeps its answers, and pools its survivors."""
        leaves = np.asarray(step.leaves)
        index = self._driver.segments[plan.segment].index
        self._answers.add(step.rows.row_ids, leaves, step.outputs, index)
        rows = self._driver.compaction.survivors(step.rows, leaves)
        if rows.num_rows:
            self._pools[plan.segment + 1, plan.bucket].append(rows)
        return leaves.tolist()

    def _first_rows(self, plan: Plan) -> RowState:
        row_ids = np.array(plan.row_ids)
        inputs = cut(self._inputs, plan.bucket, row_ids)
        inputs = {name: tf.constant(x) for name, x in inputs.items()}
        return RowState(
            hidden_states=None,
            padding_mask=inputs["padding_mask"],
            row_ids=row_ids,
            thresholds=self._thresholds[row_ids],
            inputs=inputs,
            score=self._rule.score,
        )
