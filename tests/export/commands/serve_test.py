"""`fastbert-serve`: what it starts, refuses and finishes."""

from __future__ import annotations

import contextlib
import importlib
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from absl import flags

from fastbert_tf.commands.launch import report_mistakes
from fastbert_tf.export.commands import serve
from fastbert_tf.export.server.lifecycle import open_port

from ..server.conftest import wait_until

# Tests that start TensorFlow in processes of their own.
in_processes = pytest.mark.slow

PREDICT = "/v1/models/fastbert:predict"


def run(**given: Any) -> int | None:
    """The command's exit status, None for 0."""
    values = flags.FlagValues()
    serve.define_flags(values)
    values(["fastbert-serve", *(f"--{k}={v}" for k, v in given.items())])
    return report_mistakes(lambda argv: serve.main(argv, values), ["x"])


def test_a_port_in_use_is_one_line(
    bundle: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_port("127.0.0.1", 0) as port:
        number = port.getsockname()[1]
        assert run(bundle_dir=bundle, port=number) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith(f"error: Port {number} of 127.0.0.1 cannot be")


def test_a_bundle_that_is_not_there_is_one_line(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bundle_dir=tmp_path / "nowhere", port=0) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "nowhere" in line


def test_without_its_packages_the_way_to_get_them_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run(bundle_dir="bundle") == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "pip install 'fastbert-tf[serve]'" in line


@contextlib.contextmanager
def process(bundle: pathlib.Path, *more: str) -> Iterator[subprocess.Popen]:
    """The command in a process of its own, ended at the end."""
    root = pathlib.Path(__file__).parents[3]
    command = [sys.executable, "-m", serve.__name__, f"--bundle_dir={bundle}"]
    started = subprocess.Popen(
        [*command, "--port=0", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def ready_url(started: subprocess.Popen) -> str:
    """Its address, once it is ready."""
    (url,) = re.findall(r"(http://\S+)/", started.stdout.readline())

    def is_ready() -> bool:
        assert started.poll() is None
        return httpx.get(f"{url}/v2/health/ready").status_code == 200

    wait_until(is_ready)
    return url


@in_processes
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_answers_what_is_inside_and_ends(
    bundle: pathlib.Path, number: signal.Signals
) -> None:
    with process(bundle) as started:
        url = ready_url(started)
        statuses = []

        def ask() -> None:
            body = {"instances": ["a good film"] * 900}
            reply = httpx.post(f"{url}{PREDICT}", json=body, timeout=60)
            answers = reply.json()["predictions"]
            statuses.append((reply.status_code, len(answers)))

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: has_launched(url))
        started.send_signal(number)
        _, errors = started.communicate(timeout=60)
        asking.join(60)
    assert statuses == [(200, 900)]
    assert started.returncode == 0
    said = [x for x in errors.splitlines() if x in ("draining", "stopped")]
    assert said == ["draining", "stopped"]


def has_launched(url: str) -> bool:
    """Whether a batch ran."""
    text = httpx.get(f"{url}/metrics").text
    return 'batches_total{segment="M0"}' in text


@in_processes
def test_a_second_signal_ends_at_once(bundle: pathlib.Path) -> None:
    with process(bundle) as started:
        url = ready_url(started)
        with open_body(httpx.URL(url)):
            started.send_signal(signal.SIGTERM)
            wait_until(lambda: not is_accepting(url))
            assert started.poll() is None
            started.send_signal(signal.SIGTERM)
            started.communicate(timeout=10)
    assert started.returncode == 128 + signal.SIGTERM


def is_accepting(url: str) -> bool:
    try:
        httpx.get(f"{url}/v2/health/live")
    except httpx.TransportError:
        return False
    return True


@contextlib.contextmanager
def open_body(url: httpx.URL) -> Iterator[None]:
    """A request whose body never ends."""
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    with socket.create_connection((url.host, url.port)) as connection:
        connection.sendall(head.encode())
        yield
