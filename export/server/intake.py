"""Reading of request bodies, with limits of type, size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from typing import Any

from starlette.requests import ClientDisconnect, Request

from .errors import RequestError, overloaded

JSON = ("", "application/json")
# What the protocol's binary extension is sent as, and what `curl -d` sends
# where no type is given, as TensorFlow Serving's own examples do.
BINARY = "application/octet-stream"
FORM = "application/x-www-form-urlencoded"


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Intake:
    """Reads the bodies of requests, refusing what is above its limits.

    Args:
        max_body_bytes: int, of one body.
        max_bodies: int, bodies of that size that may be held at once.
        seconds: float, that a client has for sending one.
    """

    def __init__(
        self, max_body_bytes: int, max_bodies: int, seconds: float
    ) -> None:
        self._max_body_bytes = max_body_bytes
        self._free_bytes = max_body_bytes * max_bodies
        self._seconds = seconds

    async def read(self, request: Request, types: Collection[str]) -> bytes:
        """The body.

        Args:
            request: of starlette.
            types: content types that are understood.

        Raises:
            RequestError: 415, 413, 408 or 503.
            ClientGone: the client left before it had sent all.
        """
        self._check_headers(request, types)
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in request.stream():
                    size += len(chunk)
                    self._free_bytes -= len(chunk)
                    self._check_size(size)
                    chunks.append(chunk)
        except TimeoutError as error:
            raise RequestError(
                408,
                f"The body must arrive in {self._seconds:g} seconds.",
                {"Connection": "close"},
            ) from error
        except ClientDisconnect as error:
            raise ClientGone from error
        finally:
            self._free_bytes += size
        return b"".join(chunks)

    def _check_headers(self, request: Request, types: Collection[str]) -> None:
        given = request.headers.get("content-type", "")
        content_type = given.split(";")[0].strip().lower()
        if content_type not in types:
            expected = [name for name in types if name]
            raise RequestError(
                415, f"`Content-Type` must be one of {expected}."
            )
        encoding = request.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            raise RequestError(415, "The body must not be compressed.")
        length = request.headers.get("content-length", "0")
        if length.isascii() and length.isdigit():
            self._check_size(int(length[:20]))

    def _check_size(self, size: int) -> None:
        if size > self._max_body_bytes:
            raise RequestError(
                413, f"A body may have {self._max_body_bytes} bytes at most."
            )
        if self._free_bytes < 0:
            raise overloaded("Too many bodies are being sent.", 1)


async def until_gone(request: Request, work: Awaitable[Any]) -> Any:
    """What `work` gives, which is cancelled when the client leaves.

    Args:
        request: whose body has been read.
        work: a coroutine.

    Raises:
        ClientGone: it left.
    """
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_departure(request))
    try:
        await asyncio.wait([task, watch], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        watch.cancel()


async def _departure(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
