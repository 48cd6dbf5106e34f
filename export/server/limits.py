"""`Limits`: sizes, counts and seconds that the server allows."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Sizes, counts and seconds that the server allows to its clients.

    Args:
        deadline_seconds: float, of requests that name none; None for no
            deadline.
        max_enqueued_rows: int, inside the engine at once.
        max_body_bytes: int, of one request.
        max_bodies: int, bodies of that size that may be held at once.
        max_waiting_requests: int, that are being parsed or encoded, or wait
            for that.
        max_connections: int, open at once.
        header_seconds: float, for sending the head of a request.
        body_seconds: float, for sending its body.
        send_seconds: float, for taking what was sent of the answer.
        drain_seconds: int, for answering what is inside before leaving.
    """

    deadline_seconds: float | None = None
    max_enqueued_rows: int = 1024
    max_body_bytes: int = 4 << 20
    max_bodies: int = 16
    max_waiting_requests: int = 64
    max_connections: int = 1024
    header_seconds: float = 10.0
    body_seconds: float = 20.0
    send_seconds: float = 20.0
    drain_seconds: int = 30
