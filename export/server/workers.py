"""A bounded pool of threads for work that would block the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from .errors import overloaded


class Workers:
    """Runs functions that would hold up the event loop.

    Args:
        num_threads: int.
        max_calls: int, running and waiting; what is above is refused.
        name: str, of the threads.
    """

    def __init__(self, num_threads: int, max_calls: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(num_threads, name)
        self._places = threading.Semaphore(max_calls)

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function` returns or raises.

        If the caller is cancelled, a call that has not begun is dropped, and
        a future that a call returns to nobody is cancelled.

        Raises:
            RequestError: 503, there are `max_calls` already.
        """
        if not self._places.acquire(blocking=False):
            raise overloaded("Too many requests are being read.", 1)
        try:
            future = self._executor.submit(function, *arguments)
        except RuntimeError:  # It was stopped.
            self._places.release()
            raise
        future.add_done_callback(self._leave)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.add_done_callback(_cancel_result)
            raise

    def stop(self) -> None:
        """Ends the threads; what has not begun is dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _leave(self, future: Future[Any]) -> None:
        self._places.release()


def _cancel_result(future: Future[Any]) -> None:
    is_answered = not future.cancelled() and future.exception() is None
    if is_answered and isinstance(future.result(), Future):
        future.result().cancel()
