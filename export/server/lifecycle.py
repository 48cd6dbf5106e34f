"""Server lifecycle: a port opens, the model warms, serves and drains."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from ..bundle.bundle import check_is_bundle, load_classifier
from .app import create_app
from .connections import timed_protocol
from .limits import Limits
from .metrics import Metrics
from .service import Service

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    bundle_dir: str,
    model_name: str = "fastbert",
    host: str = "127.0.0.1",
    port: int = 8000,
    max_batch_size: int = 32,
    limits: Limits | None = None,
) -> None:
    """Serves a bundle over HTTP until SIGINT or SIGTERM.

    The port is open before the bundle is loaded, so that a port in use is
    known at once.

    Args:
        bundle_dir: folder that `export_segments` wrote.
        model_name: str, that clients ask for.
        host: str, an address of this machine.
        port: int; 0 for any that is free.
        max_batch_size: int, rows that run together.
        limits: `Limits`; its defaults if left out.

    Raises:
        OSError: the port cannot be had.
        FileNotFoundError, ValueError: the bundle or the name is refused.
    """
    limits = limits or Limits()
    with open_port(host, port) as opened:
        check_is_bundle(bundle_dir)
        classifier = load_classifier(bundle_dir, max_batch_size=max_batch_size)
        metrics = Metrics(classifier.driver.segments)
        engine = classifier.engine(
            max_enqueued_rows=limits.max_enqueued_rows, observer=metrics
        )
        service = Service(classifier, engine, metrics, limits, model_name)
        url = "http://{}:{}/".format(*opened.getsockname()[:2])
        print(f"{model_name} at {url}, warming", flush=True)
        Server(service).serve_on(opened)


def open_port(host: str, port: int) -> socket.socket:
    """A socket that listens; connections wait until they are served.

    Args:
        host: str, an address of this machine.
        port: int; 0 for any that is free.

    Raises:
        OSError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise OSError(
            f"Port {port} of {host} cannot be opened: {error.strerror}. "
            "Expected: a free port of this machine. Pass another --port or "
            "--host."
        ) from error


class Server(uvicorn.Server):
    """Serves until SIGINT or SIGTERM, then answers what is inside.

    A second signal ends the process at once. The engine starts and warms
    while the server already listens: it says it is not ready until that is
    done, and again once it drains.

    Args:
        service: `Service` whose engine has not been started.
    """

    def __init__(self, service: Service) -> None:
        limits = service.limits
        config = uvicorn.Config(
            create_app(service, self._life, self._is_crowded),
            http=timed_protocol(limits.header_seconds, limits.send_seconds),
            interface="asgi3",
            ws="none",
            lifespan="on",
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=limits.drain_seconds,
        )
        super().__init__(config)
        self._service = service
        self._failure = None

    def serve_on(self, port: socket.socket) -> None:
        """Serves a port of `open_port`, to the end.

        Raises:
            Exception: what ended the warm-up.
        """
        self._service.engine.start()
        self.run(sockets=[port])
        if self._failure is not None:
            raise self._failure

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles both signals; uvicorn's raises them again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield  # Signals are the main thread's.
            return
        before = {s: signal.signal(s, self.handle_exit) for s in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drains; the second time leaves."""
        if self.should_exit:
            os._exit(128 + sig)
        self._service.is_draining = True
        self.should_exit = True

    def _is_crowded(self) -> bool:
        limit = self._service.limits.max_connections
        return len(self.server_state.connections) > limit

    @contextlib.asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        """Warms beside the application, and drains behind it."""
        warming = asyncio.create_task(self._warm_up())
        yield
        _say("draining")
        await asyncio.to_thread(self._service.stop)
        warming.cancel()
        _say("stopped")

    async def _warm_up(self) -> None:
        start = time.monotonic()
        try:
            await asyncio.to_thread(self._service.engine.warm_up)
        except Exception as error:
            self._failure = error
            self.should_exit = True
            return
        _say(f"ready after {time.monotonic() - start:.1f} s of warming")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
