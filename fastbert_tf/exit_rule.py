"""The rule of leaving: which exits are asked, and when a row leaves."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .speed import check_speed, speed_thresholds
from .uncertainty import normalized_entropy

# The exit before block 0; depth is `exit_index + 1`, so its depth is 0.
FIRST_EXIT = -1

ExitScore = Callable[[Any, Any], tuple[Any, Any]]


def leaves(score: Any, threshold: Any) -> Any:
    """Whether rows leave at an exit: where the score is under the threshold.

    This is the rule of FastBERT, and the only place that compares. A NaN on
    either side compares false: a row without a usable answer goes on, and so
    does one that does not ask the exit.

    Args:
        score: float32 `[B]`, or `[L, B]` of several exits.
        threshold: float32 that broadcasts to it.

    Returns:
        bool, an array of NumPy for arrays and a tensor for tensors.

    Reference:
        FastBERT (Liu et al., 2020), section 3.3. The released script keeps
        rows with `entropy > speed`; the strict `<` here is its package's.
    """
    return score < threshold


def entropy_score(logits: Any, state: Any) -> tuple[Any, Any]:
    """The default exit score: `normalized_entropy`, without a memory.

    An exit score is a pure function like this one. It is called at the exits
    that are asked, in order.

    Args:
        logits: float32 `[B, C]`, of the exit; an array or a tensor.
        state: None at the first exit asked; then what the exit before gave,
            a structure of `[B, ...]` that travels with the rows.

    Returns:
        the score, float32 `[B]` in [0, 1], low where the answer is sure; and
        the state for the next exit, None for no memory.
    """
    return normalized_entropy(logits), state


@dataclasses.dataclass(frozen=True, eq=False)
class ExitRule:
    """For every exit, whether a row asks it and under which score it leaves.

    `speed` is the simplest rule: one threshold at every student, and at 0 no
    student asked. Everything that takes a `speed` takes a rule as well.

    Args:
        thresholds: float32 `[L]`, or `[B, L]` for one rule a row, in [0, 1].
            The first is of the exit before block 0, the others of the
            students 0 to L - 2. NaN (or None) means that the exit is not
            asked; 0 that it is asked and lets nobody go. The last exit always
            answers and has no threshold.
        score: function as `entropy_score`, what is compared. One with a
            memory needs rows that all ask the same exits.

    Raises:
        TypeError: a threshold is no number.
        ValueError: a threshold is outside [0, 1], the shape is another, or
            rows of a `score` of its own ask different exits.

    Example:

    >>> rule = ExitRule([None, 0.2, None, 0.5])  # 4 blocks, exit 1 off
    >>> rule.asked_exits
    (0, 2, 3)
    """

    thresholds: np.ndarray
    score: ExitScore = entropy_score

    def __post_init__(self) -> None:
        values = _as_numbers(self.thresholds)
        if values.ndim not in (1, 2) or not values.shape[-1]:
            raise ValueError(
                "`thresholds` must have shape [L] or [B, L]. Received: shape "
                f"{values.shape}. Pass one an exit, the exit before block 0 "
                "first."
            )
        # NaN is none; infinities are outside.
        if np.any((values < 0) | (values > 1)):
            raise ValueError(
                "`thresholds` must be in [0, 1], or NaN for an exit that is "
                f"not asked. Received: {values.tolist()}."
            )
        values.flags.writeable = False
        object.__setattr__(self, "thresholds", values)
        has_memory = self.score is not entropy_score
        if has_memory and np.any(self._asked.any(0) != self._asked.all(0)):
            raise ValueError(
                "A score of its own needs rows that ask the same exits. "
                "Received: `thresholds` with NaN in some rows of an exit. "
                "Pass 0 for rows that are not to leave there."
            )

    @classmethod
    def of(
        cls, speed: Any, num_exits: int, num_rows: int | None = None
    ) -> ExitRule:
        """The rule that a `speed` means, or that rule itself.

        Args:
            speed: float in [0, 1], one a row, or an `ExitRule`.
            num_exits: int, L.
            num_rows: int, B; a rule of rows must be of so many. None takes
                a single number or any rule.

        Raises:
            TypeError, ValueError: it is none, or not of L exits or B rows.
        """
        if isinstance(speed, ExitRule):
            return speed._checked(num_exits, num_rows)
        values = check_speed(speed, 1 if num_rows is None else num_rows)
        return cls(speed_thresholds(values, num_exits))

    @classmethod
    def nobody_leaves(cls, num_exits: int) -> ExitRule:
        """Every student asked and no row let go: what asking costs at most.

        Args:
            num_exits: int, L.
        """
        return cls(np.array([np.nan] + [0.0] * (num_exits - 1)))

    @property
    def num_exits(self) -> int:
        """L."""
        return self.thresholds.shape[-1]

    @property
    def num_rows(self) -> int | None:
        """B; None for a rule that is the same for all rows."""
        return self.thresholds.shape[0] if self.thresholds.ndim == 2 else None

    @property
    def asked_exits(self) -> tuple[int, ...]:
        """Exits that some row asks, the last always: what is computed."""
        asked = np.flatnonzero(self._asked.any(0)) - 1
        return (*asked.tolist(), self.num_exits - 1)

    @property
    def may_leave(self) -> np.ndarray:
        """bool `[B]`: the row may leave before the last exit."""
        return np.any(self.thresholds > 0, axis=-1)

    def at(self, exit_index: int) -> np.ndarray:
        """The thresholds of an exit that is not the last, float32 `[]`, `[B]`.

        Args:
            exit_index: int, -1 to L - 2.
        """
        return self.thresholds[..., exit_index + 1]

    def only(self, exits: Sequence[int]) -> ExitRule:
        """The rule that asks no others of the exits behind blocks.

        Args:
            exits: ints that rise and end with L - 1.
        """
        exits = check_exits(exits, self.num_exits)
        kept = np.isin(np.arange(self.num_exits) - 1, (FIRST_EXIT, *exits))
        values = np.where(kept, self.thresholds, np.float32(np.nan))
        return ExitRule(values, self.score)

    def of_rows(self, num_rows: int) -> np.ndarray:
        """The thresholds of B rows, float32 `[B, L]`."""
        return np.broadcast_to(self.thresholds, [num_rows, self.num_exits])

    def part(self, rows: slice) -> ExitRule:
        """The rule of some rows that follow each other."""
        if self.num_rows is None:
            return self
        return ExitRule(self.thresholds[rows], self.score)

    def check_default_score(self, runner: str) -> None:
        """Refuses a score of its own where a graph has the default built in.

        Args:
            runner: str, what cannot compute it, for the message.
        """
        if self.score is not entropy_score:
            raise ValueError(
                f"An exit rule for {runner} must have the default score. "
                f"Received: score={self.score!r}. Use `Driver` or "
                "`PooledDriver`, which run any."
            )

    @property
    def _asked(self) -> np.ndarray:
        """bool `[B or 1, L]`."""
        return ~np.isnan(np.atleast_2d(self.thresholds))

    def _checked(self, num_exits: int, num_rows: int | None) -> ExitRule:
        if self.num_exits != num_exits:
            raise ValueError(
                f"The exit rule must be of {num_exits} exits, as the model "
                f"is. Received: {self.num_exits}. Make one for this model."
            )
        if None not in (num_rows, self.num_rows) and self.num_rows != num_rows:
            raise ValueError(
                f"The exit rule must be of {num_rows} rows, or of none in "
                f"particular. Received: {self.num_rows} rows."
            )
        return self


def leaving(
    exit_logits: np.ndarray,
    rule: ExitRule,
    first_logits: np.ndarray | None = None,
) -> np.ndarray:
    """Which exits would let which rows go, if the rows reached them.

    Args:
        exit_logits: float32 `[L, B, C]`.
        rule: `ExitRule` of L exits.
        first_logits: float32 `[B, C]`, of the exit before block 0; it is not
            asked without.

    Returns:
        bool `[L + 1, B]`, the exit before block 0 first, the last all True.
    """
    num_exits, num_rows, _ = exit_logits.shape
    result = np.zeros((num_exits + 1, num_rows), bool)
    result[-1] = True
    state = None
    for exit_index in rule.asked_exits[:-1]:
        logits = first_logits
        if exit_index != FIRST_EXIT:
            logits = exit_logits[exit_index]
        if logits is not None:
            score, state = rule.score(logits, state)
            result[exit_index + 1] = leaves(score, rule.at(exit_index))
    return result


def check_exits(exits: Sequence[int], num_exits: int) -> tuple[int, ...]:
    """`exits` as ints that rise from 0 or more to the last, or an error."""
    asked = [int(i) for i in exits]
    rises = asked == sorted(set(asked))
    if not asked or not rises or asked[0] < 0 or asked[-1] != num_exits - 1:
        raise ValueError(
            f"`exits` must rise and end with the last, {num_exits - 1}. "
            f"Received: exits={tuple(exits)}. Pass "
            f"{tuple(range(num_exits))} to ask every exit."
        )
    return tuple(asked)


def _as_numbers(thresholds: Any) -> np.ndarray:
    try:
        return np.array(thresholds, np.float32)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "`thresholds` must be numbers in [0, 1], or None for exits that "
            f"are not asked. Received: {thresholds!r}."
        ) from error
