"""Python programs that run at the same time and meet over loopback."""

import json
import os
import pathlib
import socket
import subprocess
import sys
from collections.abc import Sequence

_ROOT = pathlib.Path(__file__).parent.parent
_SECONDS = 900  # A program that takes longer is killed.


def run_workers(
    commands: Sequence[Sequence[str]], folder: pathlib.Path
) -> list[subprocess.CompletedProcess]:
    """The programs' ends; each finds its place among them in `TF_CONFIG`.

    Args:
        commands: arguments of the interpreter, one list a program.
        folder: for what they print, which is in `stdout` of the ends too.
    """
    places = cluster(len(commands))
    logs = [folder / f"worker_{i}.log" for i in range(len(commands))]
    workers = []
    for command, place, log in zip(commands, places, logs, strict=True):
        with log.open("w") as file:
            worker = subprocess.Popen(
                [sys.executable, *command],
                cwd=_ROOT,
                env={**os.environ, "TF_CONFIG": place},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        workers.append(worker)
    try:
        statuses = [worker.wait(_SECONDS) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    return [
        subprocess.CompletedProcess(command, status, log.read_text())
        for command, status, log in zip(commands, statuses, logs, strict=True)
    ]


def cluster(num_workers: int) -> list[str]:
    """A `TF_CONFIG` for each of so many workers, at free ports."""
    sockets = [socket.socket() for _ in range(num_workers)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return [
        json.dumps(
            {
                "cluster": {"worker": addresses},
                "task": {"type": "worker", "index": index},
            }
        )
        for index in range(num_workers)
    ]
