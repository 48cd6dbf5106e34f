"""A model behind a URL, asked over HTTP on many connections at once."""

from __future__ import annotations

import importlib.util
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

# What a server says that has more to do than it can, or was too late.
_REFUSALS = (429, 503, 504)
# A connection idle for longer is not used again: uvicorn closes it after five.
_IDLE_SECONDS = 2.0


class Refused(Exception):
    """The server did not answer in time, and said so."""


class HttpModel:
    """Asks a server for single rows, in TensorFlow Serving's REST form.

    Connections are kept open. There are as many threads as connections, so
    that a row waits for a free one if all are taken.

    Args:
        url: str, of the model: `http://localhost:8000/v1/models/fastbert`.
        instances: list of dict, rows as the REST form has them: `text`, and
            `text_b` of pairs.
        num_connections: int, at most.
        timeout: float, seconds for an answer, whatever its deadline.

    Raises:
        ModuleNotFoundError: httpx is not installed.
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
        self._httpx = _imported_httpx()
        self._url = f"{url}:predict"
        self._instances = instances
        limits = self._httpx.Limits(
            max_connections=num_connections,
            max_keepalive_connections=num_connections,
            keepalive_expiry=_IDLE_SECONDS,
        )
        # No proxy of the environment: what is measured is the server.
        self._client = self._httpx.Client(
            limits=limits, timeout=timeout, trust_env=False
        )
        self._threads = ThreadPoolExecutor(num_connections, "HttpModel")

    def __enter__(self) -> HttpModel:
        return self

    def __exit__(self, *exception: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._client.close()

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
            response = self._client.post(self._url, json=content)
        except self._httpx.TransportError as error:
            raise OSError(
                f"{self._url} does not answer: {error!r}. Expected: a server "
                "that is ready. Start fastbert-serve, or correct --urls."
            ) from error
        if response.status_code in _REFUSALS:
            raise Refused(f"{response.status_code}: {response.text}")
        if response.status_code != 200:
            raise OSError(
                f"{self._url} answered {response.status_code}: "
                f"{response.text}. Expected: 200. See whether it is that "
                "model and is ready."
            )
        return response.json()["predictions"][0]


def _imported_httpx() -> Any:
    if importlib.util.find_spec("httpx") is None:
        raise ModuleNotFoundError(
            "Asking servers needs httpx, which is not installed. Run "
            "`pip install 'fastbert-tf[http]'`, or leave out --urls."
        )
    # An optional package, hence here and not at the top.
    import httpx

    return httpx
