"""Runs a batch through the segments until every row has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastbert_tf import ExitResult

from .answers import Answers
from .compaction import Compaction
from .segment import Segment
from .step import CheckedRows, check_segments, start_step


class Driver:
    """Takes one batch through the segments, compacting it on the way.

    After each segment the rows that its exit lets go leave, the survivors are
    packed densely on the device by `tf.boolean_mask` and trimmed to the
    longest of them, and the next segment runs on those alone. Between two
    segments the host reads which rows leave, and the answers of those that
    do. A student that no row asks, as at `speed=0`, is not run; the first
    such batch compiles segments without it.

    Args:
        segments: list of `Segment` in order, from `build_segments`.

    Example:

    ```python
    driver = Driver(build_segments(model))
    result = driver.predict(preprocessor(["a text", "another"]), speed=0.5)
    result.labels, result.exit_index
    ```
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = check_segments(segments)
        self.config = self.segments[0].config
        self.compaction = Compaction(
            self.config.hidden_size, self.segments[0].precision
        )

    def predict(self, inputs: Mapping[str, Any], speed: Any) -> ExitResult:
        """Answers B rows, each by the first exit sure enough of it.

        Args:
            inputs: dict of integer `[B, S]`: `token_ids`, `token_type_ids`,
                `padding_mask`; B may be 0.
            speed: float in [0, 1], one value or `[B]`, or an `ExitRule`. 0
                runs every segment. Changing it retraces nothing.

        Returns:
            `ExitResult` in the order of the rows.

        Raises:
            TypeError, ValueError: an input or `speed` is not as above.
        """
        given = CheckedRows.of(inputs, speed, self.config).trimmed()
        rows, lengths = given.state(), given.lengths
        answers = Answers(given.num_rows, self.config)
        for segment in self.segments:
            step = start_step(segment, rows)
            leaves = np.asarray(step.leaves)
            answers.add(rows.row_ids, leaves, step.outputs, segment.index)
            rows = self.compaction.survivors(
                step.rows, leaves, lambda ids: lengths[ids].max()
            )
            if not rows.num_rows:
                break
        return answers.result()
