"""`EngineExecutor`: runs plans and holds the tensors of waiting rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from fastbert_tf import INPUT_NAMES

from ..compaction import Compaction
from ..row_state import RowState
from ..scheduler import Plan
from ..segment import Segment
from ..step import Step, start_step
from ..survivor_pool import SurvivorPool
from .requests import RowTable


class EngineExecutor:
    """Runs segments on rows of a `RowTable`, from one thread.

    Args:
        segments: list of `Segment` in order.
        table: `RowTable`.
    """

    def __init__(self, segments: Sequence[Segment], table: RowTable) -> None:
        self.segments = segments
        self._table = table
        self._pools = defaultdict(SurvivorPool)
        self._compaction = Compaction(
            table.config.hidden_size, segments[0].precision
        )

    def launch(self, plan: Plan) -> Step:
        """Starts a plan; nothing is waited for."""
        if plan.segment == 0:
            rows = self._first_rows(plan)
        else:
            pool = self._pools[plan.segment, plan.bucket]
            rows = pool.take(plan.row_ids)
        return start_step(self.segments[plan.segment], rows)

    def collect(self, plan: Plan, step: Step) -> list[int]:
        """Waits for a plan, keeps its answers, and pools its survivors.

        Returns:
            ids of the rows that leave.
        """
        leaves = np.asarray(step.leaves)
        row_ids = step.rows.row_ids
        index = self.segments[plan.segment].index
        answers = leaves
        if step.outputs:
            answers = leaves | self._table.keeps_deepest[row_ids]
        self._table.answers.add(row_ids, answers, step.outputs, index)
        rows = self._compaction.survivors(step.rows, leaves)
        self._pools[plan.segment + 1, plan.bucket].add(rows)
        return row_ids[leaves].tolist()

    def drop(self, plan: Plan) -> None:
        """Forgets rows that wait and will not run."""
        pool = self._pools[plan.segment, plan.bucket]
        pool.drop(plan.row_ids)

    def _first_rows(self, plan: Plan) -> RowState:
        row_ids = np.array(plan.row_ids)
        given = [self._table.inputs[row_id] for row_id in plan.row_ids]
        stacked = tf.unstack(tf.constant(np.stack(given, 1)))
        inputs = dict(zip(INPUT_NAMES, stacked, strict=True))
        return RowState(
            hidden_states=None,
            padding_mask=inputs["padding_mask"],
            row_ids=row_ids,
            thresholds=self._table.thresholds[row_ids],
            inputs=inputs,
        )
