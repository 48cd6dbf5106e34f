"""Answers to texts: label names, and the numbers they rest on."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastbert_tf import ExitResult

NOT_FINITE = "the logits are not finite at any exit"
_ROWS_SHOWN = 5


@dataclasses.dataclass(frozen=True, repr=False)
class TextAnswer:
    """The answer to one text.

    Args:
        label: str, the name of the likeliest class; its number (int) where
            the model has no names; None where the logits are not finite at
            any exit, and then the numbers below are NaN.
        probabilities: tuple of C floats, in the order of the logits.
        uncertainty: float in [0, 1], of the exit that answered.
        exit_index: int, that exit: 0 for M0.
        truncated: bool, tokens of the text were cut.
        is_late: bool, as of `EngineAnswer`; False outside of an engine.
    """

    label: str | int | None
    probabilities: tuple[float, ...]
    uncertainty: float
    exit_index: int
    truncated: bool
    is_late: bool = False

    @property
    def probability(self) -> float:
        """That of the label."""
        is_valid = self.label is not None
        return max(self.probabilities) if is_valid else math.nan

    def to_dict(self) -> dict[str, Any]:
        """The answer as `fastbert-predict` writes it in JSON.

        `label`, `probability`, `probabilities`, `uncertainty`, `exit_index`
        and `truncated`. An answer without finite logits has `error` and no
        numbers, its label being None.
        """
        place = {"exit_index": self.exit_index, "truncated": self.truncated}
        if self.label is None:
            return {"label": None, "error": NOT_FINITE, **place}
        return {
            "label": self.label,
            "probability": rounded(self.probability),
            "probabilities": [rounded(x) for x in self.probabilities],
            "uncertainty": rounded(self.uncertainty),
            **place,
        }

    @property
    def summary(self) -> str:
        """One line: label, probability, uncertainty, segment."""
        if self.label is None:
            return f"None ({NOT_FINITE})"
        flags = ", truncated" * self.truncated + ", late" * self.is_late
        return (
            f"{self.label!r}, probability {self.probability:.3f}, "
            f"uncertainty {self.uncertainty:.3f}, M{self.exit_index}{flags}"
        )

    def __repr__(self) -> str:
        return f"TextAnswer({self.summary})"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TextAnswers:
    """The answers to N texts, in their order.

    They iterate over the labels: `list(answers)` is `["pos", "neg"]`, and an
    array made of them holds the labels too. An index gives the `TextAnswer`
    of one row, a slice the `TextAnswers` of some.

    Args:
        result: `ExitResult` of N rows.
        truncated: bool `[N]`, tokens of the text were cut.
        class_names: C names in the order of the logits, or None.
        is_late: bool `[N]`, as of `EngineAnswer`; None outside of an engine.

    Example:

    ```python
    answers = classifier.predict(["a fine film", "dull"])
    list(answers), answers.probabilities, answers[0].exit_index
    ```
    """

    result: ExitResult
    truncated: np.ndarray
    class_names: Sequence[str] | None = None
    is_late: np.ndarray | None = None

    @classmethod
    def concatenate(cls, parts: Sequence[TextAnswers]) -> TextAnswers:
        """The rows of several answers of one model, outside of an engine."""
        return cls(
            ExitResult.concatenate([part.result for part in parts]),
            np.concatenate([part.truncated for part in parts]),
            parts[0].class_names,
        )

    @functools.cached_property
    def labels(self) -> list[str | int | None]:
        """N labels, as `TextAnswer.label`."""
        names = self.class_names
        if names is None:
            names = range(self.result.logits.shape[1])
        # The label of a row without an answer is the last index.
        names = [*names, None]
        return [names[label] for label in self.result.labels.tolist()]

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        """float32 `[N, C]`; NaN without an answer."""
        return self.result.probabilities

    @property
    def uncertainty(self) -> np.ndarray:
        """float32 `[N]` in [0, 1], of the exit that answered."""
        return self.result.uncertainty

    @property
    def exit_index(self) -> np.ndarray:
        """int32 `[N]`, that exit: 0 for M0."""
        return self.result.exit_index

    def to_dicts(self) -> list[dict[str, Any]]:
        """`TextAnswer.to_dict` of every row."""
        return [answer.to_dict() for answer in self.rows()]

    def rows(self) -> Iterator[TextAnswer]:
        """The `TextAnswer` of every row."""
        return (self[i] for i in range(len(self)))

    def __len__(self) -> int:
        return len(self.result)

    def __iter__(self) -> Iterator[str | int | None]:
        return iter(self.labels)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.labels, dtype)

    def __getitem__(self, row: int | slice) -> Any:
        late = self.is_late
        if isinstance(row, slice):
            return TextAnswers(
                self.result.take(row),
                self.truncated[row],
                self.class_names,
                None if late is None else late[row],
            )
        return TextAnswer(
            self.labels[row],
            tuple(self.probabilities[row].tolist()),
            float(self.uncertainty[row]),
            int(self.exit_index[row]),
            bool(self.truncated[row]),
            late is not None and bool(late[row]),
        )

    def __repr__(self) -> str:
        shown = self[:_ROWS_SHOWN]
        lines = [f"TextAnswers, {len(self):,} rows"]
        lines += [f"{i}: {row.summary}" for i, row in enumerate(shown.rows())]
        if len(self) > len(shown):
            lines.append(f"... and {len(self) - len(shown):,} more")
        return "\n".join(lines)


def rounded(value: Any) -> float:
    """A float of seven digits, all that float32 holds."""
    return float(f"{float(value):.7g}")
