"""`simulate_exits`: the oracle that every driver must equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .exit_rule import ExitRule, leaving
from .results import ExitResult
from .uncertainty import normalized_entropy


def simulate_exits(
    exit_logits: Any,
    rule: Any = None,
    first_logits: Any = None,
    *,
    exits: Sequence[int] | None = None,
    speed: Any = None,
) -> ExitResult:
    """The answers FastBERT gives by a rule, from the logits of every exit.

    A row leaves at the first exit that lets it go; the last exit always
    answers. A NaN never leaves early. This is the definition that every
    driver is tested against, and the engine of evaluation and curves.

    Args:
        exit_logits: float `[L, B, C]`, as `FastBertClassifier.exit_logits`.
        rule: float in [0, 1], the `speed`: one value or `[B]`; or an
            `ExitRule`.
        first_logits: float `[B, C]`, of the exit before block 0; without it
            that exit is not asked.
        exits: ints that rise and end with L - 1: no others are asked.
        speed: another name of `rule`.

    Returns:
        `ExitResult` of B rows.

    Raises:
        TypeError, ValueError: an argument is not as above.

    Example:

    >>> logits = np.array([[[3.0, 0.0]], [[9.0, 0.0]]])  # 2 exits, 1 row
    >>> simulate_exits(logits, 0.1).exit_index.tolist()
    [1]
    """
    logits = np.asarray(exit_logits, dtype=np.float32)  # [L, B, C]
    if logits.ndim != 3 or not len(logits):
        raise ValueError(
            "`exit_logits` must have shape [exits, rows, classes]. Received: "
            f"shape {logits.shape}. Pass `model.exit_logits(inputs)`."
        )
    if (rule is None) == (speed is None):
        raise TypeError(
            "A rule must be given, once. Received: "
            f"rule={rule!r}, speed={speed!r}. Pass a number in [0, 1] or an "
            "`ExitRule`."
        )
    num_exits, num_rows, _ = logits.shape
    rule = ExitRule.of(speed if rule is None else rule, num_exits, num_rows)
    if exits is not None:
        rule = rule.only(exits)
    first = np.full_like(logits[:1], np.nan)
    if first_logits is not None:
        first = _checked_first(first_logits, logits.shape[1:])[None]
        first_logits = first[0]
    place = leaving(logits, rule, first_logits).argmax(axis=0)  # [B]
    answers = np.concatenate([first, logits])[place, np.arange(num_rows)]
    return ExitResult(
        logits=answers,
        uncertainty=normalized_entropy(answers),
        exit_index=(place - 1).astype(np.int32),
    )


def _checked_first(first_logits: Any, shape: tuple[int, ...]) -> np.ndarray:
    logits = np.asarray(first_logits, dtype=np.float32)
    if logits.shape != shape:
        raise ValueError(
            f"`first_logits` must have shape {list(shape)}, rows and classes "
            f"of `exit_logits`. Received: shape {logits.shape}."
        )
    return logits
