"""`speed`, the raw threshold: its check, and the thresholds it means."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops


def check_speed(speed: Any, num_rows: int) -> np.ndarray:
    """`speed` as float32 `[]` or `[num_rows]`, or an error.

    Raises:
        TypeError: `speed` is not made of numbers.
        ValueError: a value is NaN or outside [0, 1], or there is neither one
            value nor one a row.
    """
    values = np.asarray(speed)
    if values.dtype.kind not in "fiu":
        raise TypeError(
            "`speed` must be a number in [0, 1], or one a row. Received: "
            f"speed={speed!r}. Pass 0 to always run every segment."
        )
    if values.shape not in ((), (num_rows,)):
        raise ValueError(
            f"`speed` must have shape () or ({num_rows},), one value or one "
            f"a row. Received: shape {values.shape}. Pass a single number "
            "for all rows."
        )
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(
            f"`speed` must be in [0, 1]. Received: speed={values.tolist()}. "
            "Pass 0 to always run every segment."
        )
    return values.astype(np.float32)


def speed_thresholds(speed: Any, num_exits: int) -> Any:
    """The thresholds that a `speed` means: itself at every student.

    Args:
        speed: float32 `[]` or `[B]`, an array or a tensor.
        num_exits: int, L.

    Returns:
        float32 `[L]` or `[B, L]`, of the same kind: NaN first, for the exit
        before block 0, and NaN throughout where the speed is 0.
    """
    xp = np if isinstance(speed, np.ndarray | np.generic) else ops
    asked = xp.where(speed > 0, speed, np.float32(np.nan))
    students = np.arange(num_exits) > 0
    return xp.where(students, asked[..., None], np.float32(np.nan))
