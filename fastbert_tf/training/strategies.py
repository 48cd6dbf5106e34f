"""`tf.distribute` strategies of training, and workers that are lost."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

STRATEGIES = ("none", "mirrored", "multi_worker")

_ADDRESS = re.compile(r"[^\s:/]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5}")
_BROKEN_OFF = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)
_EXAMPLE = (
    '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


def make_strategy(name: str, cluster: str | None) -> tf.distribute.Strategy:
    """The strategy of that name.

    Args:
        name: str, one of `STRATEGIES`. `"none"`: one device. `"mirrored"`:
            all GPUs of this machine, or all its logical CPUs. `"multi_worker"`:
            all devices of all workers; waits until they are all there.
        cluster: str, the variable `TF_CONFIG`, which TensorFlow reads itself.

    Raises:
        ValueError: `cluster` does not describe this worker's place among
            several.
        ConnectionError: the workers do not find each other.
    """
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU")
        devices = devices or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([d.name for d in devices])
    check_cluster(cluster)
    on_termination = signal.getsignal(signal.SIGTERM)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise ConnectionError(
            f"The workers did not meet: {error.message} Expected: all workers "
            f"of TF_CONFIG running, each at its address. Received: {cluster}."
        ) from error
    # TensorFlow only notes the signal from here on, and would train on.
    signal.signal(signal.SIGTERM, on_termination)
    return strategy


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes files."""
    return strategy.extended.should_checkpoint


@contextlib.contextmanager
def lost_workers_told() -> Iterator[None]:
    """Says that a worker is gone, where TensorFlow says what broke off.

    Raises:
        ConnectionError: a worker ended, or cannot be reached any more.
    """
    try:
        yield
    except _BROKEN_OFF as error:
        raise ConnectionError(
            "A worker of TF_CONFIG has ended, or cannot be reached. Expected: "
            "all of them, to the end of training. See what it printed, and "
            "start all of them again."
        ) from error


def check_cluster(text: str | None) -> None:
    """Refuses a `TF_CONFIG` that TensorFlow would misread, or wait on."""
    found = _what_is_wrong(text)
    if found:
        raise ValueError(
            f"`--strategy=multi_worker` reads TF_CONFIG, and {found}. "
            f"Received: TF_CONFIG={text}. Expected for example: {_EXAMPLE}, "
            "with the index of each worker in its own."
        )


def _what_is_wrong(text: str | None) -> str:
    if not text:
        return "it is not set"
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        return f"it is not JSON ({error})"
    cluster, task = _part(config, "cluster"), _part(config, "task")
    kind, index = task.get("type"), task.get("index")
    if not cluster or not set(cluster) <= {"chief", "worker"}:
        return "its cluster must have workers, at most a chief beside them"
    for addresses in cluster.values():
        if not addresses or not isinstance(addresses, list):
            return "its cluster must list addresses"
        for address in addresses:
            if not _ADDRESS.fullmatch(str(address)):
                return f"its address {address!r} is not host:port"
    if kind not in cluster:
        return f"its task type {kind!r} is not one of {list(cluster)}"
    if type(index) is not int or not 0 <= index < len(cluster[kind]):
        return f"its task index {index!r} is not that of a {kind}"
    return ""


def _part(config: Any, name: str) -> dict[str, Any]:
    part = config.get(name) if isinstance(config, dict) else None
    return part if isinstance(part, dict) else {}
