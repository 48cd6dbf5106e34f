"""HTTP connections that close on clients too slow to send or to read."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def timed_protocol(
    header_seconds: float, send_seconds: float
) -> type[H11Protocol]:
    """`TimedProtocol` with its times.

    Args:
        header_seconds: float, from the connection, or from the first byte of
            a later request, to the end of the head.
        send_seconds: float, for the client to take what has been sent.
    """
    times = {"header_seconds": header_seconds, "send_seconds": send_seconds}
    return type("Timed", (TimedProtocol,), times)


class TimedProtocol(H11Protocol):
    """uvicorn's protocol, with times for sending a head and for reading.

    uvicorn has a time for the next request on a connection to begin, but none
    for the first, none for a head that has begun, and none for an answer to
    be read: a client that reads nothing would keep its connection, and the
    answer in memory, for ever. Nothing is logged: paths are of clients.
    """

    header_seconds: float
    send_seconds: float

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.access_log = False
        self._timer = None
        self._send_timer = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        # Writing counts as paused as soon as anything waits to be taken.
        transport.set_write_buffer_limits(high=0)
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._send_timer = self.loop.call_later(
            self.send_seconds, self.transport.abort
        )

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_send_timer()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_send_timer()
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

    def _stop_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _close(self) -> None:
        self._timer = None
        if not self._in_request():
            self.transport.close()
