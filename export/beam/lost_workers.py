"""Makes Beam's direct runner fail when a worker process ends too early."""

from __future__ import annotations

import threading
import time

from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    BeamFnControlServicer,
    SubprocessSdkWorkerHandler,
    WorkerHandler,
)

_SECONDS_BETWEEN_LOOKS = 0.1
# As a worker's traceback ends, which is what the runner tells of.
_MESSAGE = """
ChildProcessError: A worker process of Beam's direct runner was lost. \
Expected: that it ends last. Look for a lack of memory; fewer workers and \
smaller files need less."""


class WatchedWorkerHandler(SubprocessSdkWorkerHandler):
    """Beam's handler of one worker process, answering for a lost one.

    Beam 2.77 waits for ever for what a lost worker was asked
    (`--direct_running_mode=multi_processing`). Here each such question is
    answered with an error, so that the pipeline fails as it does when a
    worker raises. Runners of a cluster repeat the work and need none of this.
    """

    def start_worker(self) -> None:
        super().start_worker()
        threading.Thread(target=self._answer_when_lost, daemon=True).start()

    def _answer_when_lost(self) -> None:
        self.worker_thread.join()
        connection = self.control_conn
        # A worker that has done its work ends behind its connection.
        while connection._state != BeamFnControlServicer.DONE_STATE:
            for name, future in list(connection._futures_by_id.items()):
                response = beam_fn_api_pb2.InstructionResponse(
                    instruction_id=name, error=_MESSAGE
                )
                future.set(response)
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def watch_workers() -> None:
    """Has the direct runner use `WatchedWorkerHandler` from now on."""
    WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)(
        WatchedWorkerHandler
    )
