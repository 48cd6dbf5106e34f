"""Runs the pipeline in a process of its own, and again if that is lost."""

from __future__ import annotations

import contextlib
import importlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from fastbert_tf.files import check_replaceable, replaced_folder

from ..bundle.manifest import read_manifest
from .settings import SUMMARY_FILE, Scoring, Summary, is_remote

MAX_ATTEMPTS = 3
# What Beam's direct runner calls the threads that wait for its workers.
_WAITING_FOR_A_WORKER = "run_worker"
_MISTAKES = (ValueError, OSError)


def score(scoring: Scoring) -> Summary:
    """Scores a corpus with Beam.

    The folder of answers is written aside, synced and renamed: the output
    path holds the old one or the new one, and in it `scores.json`. On a file
    system with a scheme nothing is renamed, and `scores.json` is the last
    file written.

    Runners of a cluster repeat what a lost worker did. Beam's direct runner
    does not (it waits for the worker), so there the pipeline is run again
    from the start, up to `MAX_ATTEMPTS` times.

    Args:
        scoring: `Scoring`.

    Returns:
        what was done.

    Raises:
        FileNotFoundError, ValueError, OSError: the input, the bundle or the
            output path is refused, or the process was lost each time.
    """
    read_manifest(scoring.bundle_dir)  # Refuses before the work.
    if not is_remote(scoring.output_path):
        check_replaceable(scoring.output_path, SUMMARY_FILE)
    attempts = 1 if _names_a_runner(scoring) else MAX_ATTEMPTS
    for attempt in range(1, attempts + 1):
        with contextlib.suppress(EOFError), _written(scoring) as folder:
            return _in_a_process(scoring, folder)
        logging.warning("Attempt %d: the pipeline's process is lost", attempt)
    raise ChildProcessError(
        f"The pipeline's process was lost {attempts} times. Expected: that it "
        "ends by itself. Look for a lack of memory; smaller files and fewer "
        "workers need less."
    )


def _names_a_runner(scoring: Scoring) -> bool:
    """Whether another runner than the direct one was asked for."""
    return any(x.startswith("--runner") for x in scoring.beam_options)


@contextlib.contextmanager
def _written(scoring: Scoring) -> Iterator[str]:
    if is_remote(scoring.output_path):
        yield scoring.output_path
        return
    with replaced_folder(scoring.output_path, SUMMARY_FILE) as folder:
        yield folder


def _in_a_process(scoring: Scoring, folder: str) -> Summary:
    """What the pipeline gives; EOFError if its process ends without."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    arguments = (scoring, folder, sender)
    process = context.Process(target=_run, args=arguments)
    process.start()
    sender.close()
    try:
        summary, error = receiver.recv()
    finally:
        _end(process)
    if error is not None:
        raise error
    return summary


def _end(process: Any) -> None:
    """Ends a process and those it started, which would write on."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _run(scoring: Scoring, folder: str, sender: Connection) -> None:
    """The process: a group of its own, which ends with its parent."""
    os.setpgrp()
    parent = multiprocessing.parent_process().sentinel
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    threading.excepthook = _leave_without_a_worker
    # Beam is an optional package, which the parent does without.
    pipeline = importlib.import_module(".pipeline", __package__)
    try:
        sender.send((pipeline.run_pipeline(scoring, folder), None))
    except _MISTAKES as error:
        sender.send((None, type(error)(str(error))))


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os.killpg(0, signal.SIGKILL)


def _leave_without_a_worker(fault: threading.ExceptHookArgs) -> None:
    """Ends the process once a worker is lost; else the runner waits on."""
    threading.__excepthook__(fault)
    if fault.thread and fault.thread.name == _WAITING_FOR_A_WORKER:
        os._exit(1)
