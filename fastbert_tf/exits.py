"""When a row leaves: the rule, and the oracle every driver must equal."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .results import ExitResult
from .uncertainty import normalized_entropy


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


def simulate_exits(
    exit_logits: Any, speed: Any, exits: Sequence[int] | None = None
) -> ExitResult:
    """The answers FastBERT gives at `speed`, from the logits of every exit.

    A row leaves at the first exit where `uncertainty < speed`; the last exit
    always answers. A NaN never leaves early. This is the definition that
    every driver is tested against, and the engine of evaluation and curves.

    Args:
        exit_logits: float `[L, B, C]`, as `FastBertClassifier.exit_logits`.
        speed: float in [0, 1], one value or `[B]`.
        exits: ints that rise and end with L - 1, the exits that are asked;
            all by default.

    Returns:
        `ExitResult` of B rows.

    Raises:
        ValueError: the shape of `exit_logits`, or `exits`, is another.

    Reference:
        FastBERT (Liu et al., 2020), section 3.3. The released script keeps
        rows with `entropy > speed`; the strict `<` here is its package's.

    Example:

    >>> logits = np.array([[[3.0, 0.0]], [[9.0, 0.0]]])  # 2 exits, 1 row
    >>> simulate_exits(logits, speed=0.1).exit_index.tolist()
    [1]
    """
    logits = np.asarray(exit_logits, dtype=np.float32)  # [L, B, C]
    if logits.ndim != 3 or not len(logits):
        raise ValueError(
            "`exit_logits` must have shape [exits, rows, classes]. Received: "
            f"shape {logits.shape}. Pass `model.exit_logits(inputs)`."
        )
    asked = _check_exits(exits, len(logits))
    logits, num_rows = logits[asked], logits.shape[1]
    uncertainty = normalized_entropy(logits)  # [L, B]
    leaves = uncertainty < check_speed(speed, num_rows)
    leaves[-1] = True
    place = leaves.argmax(axis=0)  # [B]
    rows = np.arange(num_rows)
    return ExitResult(
        logits=logits[place, rows],
        uncertainty=uncertainty[place, rows],
        exit_index=asked[place].astype(np.int32),
    )


def _check_exits(exits: Sequence[int] | None, num_exits: int) -> np.ndarray:
    asked = np.arange(num_exits) if exits is None else np.array(exits)
    rises = asked.tolist() == sorted(set(asked.tolist()))
    if not rises or asked[-1:].tolist() != [num_exits - 1] or asked[0] < 0:
        raise ValueError(
            f"`exits` must rise and end with the last, {num_exits - 1}. "
            f"Received: exits={exits}. Leave it out to ask every exit."
        )
    return asked
