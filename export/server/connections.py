"""HTTP connections: none is held open by sending nothing, none is logged."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def timed_protocol(seconds: float) -> type[H11Protocol]:
    """`TimedProtocol` with a time.

    Args:
        seconds: float, from the connection, or from the first byte of a later
            request, to the end of the head.
    """
    return type("Timed", (TimedProtocol,), {"header_seconds": seconds})


class TimedProtocol(H11Protocol):
    """uvicorn's protocol, closing where the head of a request is late.

    uvicorn has a time for the next request on a connection to begin, but
    none for the first, and none for a head that has begun. A subclass says
    how long it may take.
    """

    header_seconds: float

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.access_log = False  # Paths are of clients.
        self._timer = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Tells it as all else is told; uvicorn's own is plain text.

        Nothing is told behind an answer that has begun.
        """
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        body = json.dumps({"error": msg}).encode("ascii")
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode("ascii")),
            (b"connection", b"close"),
        ]
        head = h11.Response(status_code=400, headers=headers)
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _watch(self) -> None:
        if self._in_request():
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_seconds, self._close)

    def _in_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        if not self._in_request():
            self.transport.close()
