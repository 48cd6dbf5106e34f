"""A model behind a URL, asked over HTTP on many connections at once."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

# What a server says that has more to do than it can, or was too late.
_REFUSALS = (429, 503, 504)
_HEADERS = {"Content-Type": "application/json"}


class Refused(Exception):
    """The server did not answer in time, and said so."""


class HttpModel:
    """Asks a server for single rows, in TensorFlow Serving's REST form.

    Connections are kept open. Each has a thread of its own, so that a row
    waits for a free one if all are taken.

    Args:
        url: str, of the model: `http://localhost:8000/v1/models/fastbert`.
        instances: list of dict, rows as the REST form has them: `text`, and
            `text_b` of pairs.
        num_connections: int, at most.
        timeout: float, seconds for an answer, whatever its deadline.

    Raises:
        ValueError: `url` is not of that form.
    """

    def __init__(
        self,
        url: str,
        instances: Sequence[Mapping[str, Any]],
        num_connections: int = 64,
        timeout: float = 60.0,
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        before, _, self.name = parts.path.rpartition("/")
        if parts.scheme != "http" or before != "/v1/models" or not self.name:
            raise ValueError(
                "`--urls` must be models of servers. Received: "
                f"{url!r}. Write http://localhost:8000/v1/models/fastbert "
                "for example."
            )
        self._host = parts.netloc
        self._path = f"{parts.path}:predict"
        self._instances = instances
        self._timeout = timeout
        self._local = threading.local()
        self._connections = []
        self._threads = ThreadPoolExecutor(num_connections, "HttpModel")

    def __enter__(self) -> HttpModel:
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def submit(
        self, row: int, speed: float, seconds: float
    ) -> Future[Mapping[str, Any]]:
        """`ask` on one of the threads; its wait for one is of `seconds`."""
        due = time.monotonic() + seconds

        def ask() -> Mapping[str, Any]:
            return self.ask(row, speed, due - time.monotonic())

        return self._threads.submit(ask)

    def ask(
        self, row: int, speed: float, seconds: float | None = None
    ) -> Mapping[str, Any]:
        """The server's answer to one row: `label_id`, `exit_index`, ...

        Args:
            row: int, of `instances`.
            speed: float in [0, 1].
            seconds: float, until the deadline; None for none.

        Raises:
            Refused: overload, or the deadline has passed.
            OSError: no connection, or another error of the server.
        """
        content = {"instances": [{**self._instances[row], "speed": speed}]}
        if seconds is not None:
            if seconds <= 0:
                raise Refused("The deadline passed before the row was sent.")
            content["deadline_millis"] = 1e3 * seconds
        try:
            status, body = self._post(json.dumps(content).encode("ascii"))
        except (OSError, http.client.HTTPException) as error:
            raise OSError(
                f"{self._host}{self._path} does not answer: {error!r}. "
                "Expected: a server that is ready. Start fastbert-serve, or "
                "correct --urls."
            ) from error
        if status in _REFUSALS:
            raise Refused(f"{status}: {body.decode(errors='replace')}")
        if status != 200:
            raise OSError(
                f"{self._host}{self._path} answered {status}: "
                f"{body.decode(errors='replace')}. Expected: 200. See "
                "whether it is that model and is ready."
            )
        return json.loads(body)["predictions"][0]

    def _post(self, body: bytes) -> tuple[int, bytes]:
        try:
            return self._exchanged(body)
        except (ConnectionError, http.client.BadStatusLine):
            # The server had closed the connection; it is opened again.
            return self._exchanged(body)

    def _exchanged(self, body: bytes) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            connection.request("POST", self._path, body, _HEADERS)
            response = connection.getresponse()
            return response.status, response.read()
        except BaseException:
            connection.close()  # The next request opens it.
            raise

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's."""
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection(
                self._host, timeout=self._timeout
            )
            self._connections.append(self._local.connection)
        return self._local.connection
