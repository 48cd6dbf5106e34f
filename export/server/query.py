"""A parsed request of either protocol: texts, speed, deadline; checked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from fastbert_tf import check_speed

from .errors import brief, refuse

# What a row past its deadline gets: an error, or the deepest exit's answer.
LATE = ("error", "deepest")
_MAX_DEADLINE_MILLIS = 24 * 60 * 60 * 1000


@dataclasses.dataclass(frozen=True)
class Query:
    """B texts, and how they are to be answered.

    Args:
        texts: list of B str or bytes, B of 1 or more.
        pairs: the second text of each row, or None.
        speed: float32 `[]` or `[B]`, or None for the server's own.
        deadline_seconds: float, from the request's arrival; None for the
            server's own.
        late: str of `LATE`.

    Raises:
        RequestError: a value is not as above.
    """

    texts: list[str | bytes]
    pairs: list[str | bytes] | None = None
    speed: Any = None
    deadline_seconds: float | None = None
    late: str = LATE[0]

    def __post_init__(self) -> None:
        if not self.texts:
            refuse("`text` must hold 1 text or more. Received: none.")
        _check_texts("text", self.texts)
        if self.pairs is not None:
            _check_texts("text_b", self.pairs)
            if len(self.pairs) != len(self.texts):
                refuse(
                    "`text` and `text_b` must have as many rows. Received: "
                    f"{len(self.texts)} and {len(self.pairs)}."
                )
        if self.speed is not None:
            speed = _checked_speed(self.speed, len(self.texts))
            object.__setattr__(self, "speed", speed)
        if not isinstance(self.late, str) or self.late not in LATE:
            refuse(
                f"`late` must be one of {list(LATE)}. Received: "
                f"{brief(self.late)}."
            )

    def check_pairs(self, pairs: bool | None) -> None:
        """Refuses texts alone for a model of pairs, and the reverse.

        Args:
            pairs: bool, what the model was trained on; None if not known.

        Raises:
            RequestError: 400.
        """
        if pairs is not None and pairs != (self.pairs is not None):
            refuse(
                f"The model was trained on {'pairs' if pairs else 'texts'}. "
                f"{'Pass' if pairs else 'Leave out'} `text_b`."
            )


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `Query` from what both protocols name alike.

    Args:
        given: `speed`, `deadline_millis` and `late`, those that were sent.
    """
    result = {name: given[name] for name in ("speed", "late") if name in given}
    if "deadline_millis" in given:
        millis = given["deadline_millis"]
        result["deadline_seconds"] = _checked_millis(millis) / 1000
    return result


def read_json(body: bytes) -> dict[str, Any]:
    """The object that a body holds.

    Raises:
        RequestError: it is not JSON in UTF-8, or not an object; NaN and
            Infinity are no JSON.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        # The decoder's own words quote nothing but a place in the body.
        reason = error.msg if isinstance(error, json.JSONDecodeError) else ""
        refuse(f"The body must be JSON in UTF-8. {reason}".strip())
    if not isinstance(value, dict):
        refuse(f"The body must be a JSON object. Received: {brief(value)}.")
    return value


def check_known(kind: str, given: Mapping[str, Any], known: Any) -> None:
    """Refuses names that mean nothing here, as a typing error would be."""
    unknown = sorted(set(given) - set(known))
    if unknown:
        refuse(f"Unknown {kind}: {brief(unknown)}. Expected: {sorted(known)}.")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _check_texts(name: str, texts: list[Any]) -> None:
    for place, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            refuse(
                f"`{name}` must hold strings. Received: {brief(text)} in row "
                f"{place}."
            )


def _checked_speed(speed: Any, num_rows: int) -> np.ndarray:
    try:
        return check_speed(speed, num_rows)
    except (TypeError, ValueError):
        refuse(
            "`speed` must be a number in [0, 1], or one a row. Received: "
            f"{brief(speed)} for {num_rows} rows. Pass 0 to run every segment."
        )


def _checked_millis(millis: Any) -> float:
    is_number = isinstance(millis, int | float) and not isinstance(millis, bool)
    if not is_number or not 0 <= millis <= _MAX_DEADLINE_MILLIS:
        refuse(
            "`deadline_millis` must be a number of milliseconds from now, in "
            f"[0, {_MAX_DEADLINE_MILLIS}]. Received: {brief(millis)}."
        )
    return float(millis)
