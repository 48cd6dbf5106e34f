"""`EngineObserver`: callbacks for whoever counts what an engine does."""

from __future__ import annotations

import numpy as np


class EngineObserver:
    """Is told what an engine does; every method does nothing.

    A subclass overrides what it counts. Methods are called from the engine's
    thread and from those that submit and cancel, several at a time; they must
    be quick and must not raise. How many rows wait is not told but asked for:
    `PooledEngine.pool_sizes`.
    """

    def launched(
        self, segment_index: int, num_rows: int, max_batch_size: int
    ) -> None:
        """A segment starts on a batch.

        Args:
            segment_index: int, place of the segment in the list.
            num_rows: int, 1 to `max_batch_size`.
            max_batch_size: int.
        """

    def answered(
        self, exit_index: np.ndarray, seconds: float, is_on_time: bool
    ) -> None:
        """A request is answered.

        Args:
            exit_index: int32 `[B]`, where its rows left.
            seconds: float, since it was submitted.
            is_on_time: bool, none of its rows is late.
        """

    def dropped(self, reason: str, num_rows: int) -> None:
        """An admitted request ends without an answer.

        Args:
            reason: str, `"expired"`, `"cancelled"`, `"failed"` or
                `"stopped"`.
            num_rows: int, B.
        """

    def rejected(self, reason: str) -> None:
        """A request is not admitted.

        Args:
            reason: str, of `Overloaded`.
        """


def check_observer(observer: EngineObserver) -> EngineObserver:
    """`observer` itself, if it is one."""
    if not isinstance(observer, EngineObserver):
        raise TypeError(
            "`observer` must be an `EngineObserver`. Received: "
            f"{type(observer).__name__}. Make that a subclass of it."
        )
    return observer
