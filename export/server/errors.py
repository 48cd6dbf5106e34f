"""Errors of requests: status, message and headers of the response."""

from __future__ import annotations

import logging
import math
import reprlib
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

_logger = logging.getLogger(__name__)
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 60
_REPR.maxlist = _REPR.maxdict = 4


class RequestError(Exception):
    """A request that gets no answer.

    Args:
        status: int, of HTTP.
        message: str, for the client alone: it may quote what was sent, so it
            goes to no log.
        headers: of the response, beside those that all have.
    """

    def __init__(
        self,
        status: int,
        message: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def refuse(message: str) -> NoReturn:
    """Raises `RequestError` 400."""
    raise RequestError(400, message)


def overloaded(message: str, retry_after_seconds: float) -> RequestError:
    """`RequestError` 503 that says when to come back, in whole seconds."""
    seconds = max(1, math.ceil(retry_after_seconds))
    return RequestError(503, message, {"Retry-After": str(seconds)})


def log_failure(error: BaseException) -> None:
    """Logs the kind of an error and where it came from.

    Its message stays out: it may quote a text.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{x.filename}:{x.lineno} {x.name}" for x in frames]
    _logger.error("%s at %s", type(error).__name__, " < ".join(places[::-1]))


def brief(value: Any) -> str:
    """`repr`, cut short."""
    return _REPR.repr(value)
