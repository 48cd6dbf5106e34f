"""Machine, versions and settings that a measurement was made on."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from ..backends.precision import processor_instructions

_PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "torch",
    "transformers",
    "onnxruntime",
    "openvino",
)
_INSTRUCTIONS = {"avx2", "avx512f", "avx512_bf16", "amx_bf16", "bf16"}


@dataclasses.dataclass(frozen=True)
class Environment:
    """Hardware, versions and command of a run.

    Args:
        command: str, as it was typed.
        revision: str, of the checkout; "unknown" outside of one.
        device: str, processor or GPU.
        num_cores: int, that this process may use.
        instructions: list of str, of those that matter to matrix products.
        versions: dict, package to version, of those installed.
        onednn: str, `TF_ENABLE_ONEDNN_OPTS`, or "default".
    """

    command: str
    revision: str
    device: str
    num_cores: int
    instructions: list[str]
    versions: dict[str, str]
    onednn: str

    @classmethod
    def current(cls) -> Environment:
        """That of this process."""
        name = Path(sys.argv[0]).name
        return cls(
            shlex.join([name, *sys.argv[1:]]),
            _revision(),
            _device(),
            len(os.sched_getaffinity(0)),
            sorted(_INSTRUCTIONS & processor_instructions()),
            dict(_versions()),
            os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        )


def _versions() -> Iterator[tuple[str, str]]:
    yield "python", platform.python_version()
    installed = {x.name.lower() for x in importlib.metadata.distributions()}
    for package in _PACKAGES:
        if package in installed:
            yield package, importlib.metadata.version(package)


def _device() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return str(details.get("device_name", gpus[0].name))
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def _revision() -> str:
    folder = Path(__file__).resolve().parent
    command = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:  # There is no git.
        return "unknown"
    return done.stdout.strip() or "unknown"
