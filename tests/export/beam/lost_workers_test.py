"""A worker or a command that is killed: one error, and the older answers."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")

from fastbert_tf.export.beam import score
from tests.export.beam.conftest import Record, assert_answers, read
from tests.export.bundles import content

# Each starts TensorFlow in processes of its own.
pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[3]
WORKER = "sdk_worker_main"


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """Processes that `pid` started, directly or not, with what they run."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            command = (path.parent / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended since it was listed.
        if parent == pid:
            child = int(path.parent.name)
            yield child, command.replace("\0", " ")
            yield from descendants(child)


def kill_one(process: subprocess.Popen[str], word: str, delay: float) -> None:
    """Kills the first Python below `process` that runs `word`."""
    while process.poll() is None:
        for pid, command in descendants(process.pid):
            if word in command and "python" in command.split()[0]:
                time.sleep(delay)
                os.kill(pid, signal.SIGKILL)
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing ran {word}: {process.stderr.read()}")


@pytest.fixture
def output(
    bundle: pathlib.Path, corpus: pathlib.Path, tmp_path: pathlib.Path
) -> pathlib.Path:
    """A folder of answers, alone in its parent."""
    score(str(bundle), str(corpus / "a.tsv"), str(tmp_path / "scores"))
    return tmp_path / "scores"


def start(
    bundle: pathlib.Path, corpus: pathlib.Path, output: pathlib.Path
) -> subprocess.Popen[str]:
    """The command, with two processes as workers."""
    command = [
        *(sys.executable, "-m", "fastbert_tf.export.commands.score_beam"),
        *(f"--bundle_dir={bundle}", f"--input_path={corpus}/*.tsv"),
        *(f"--output_path={output}", "--max_batch_size=2", "--speed=0.06"),
        *("--", "--direct_running_mode=multi_processing"),
        "--direct_num_workers=2",
    ]
    return subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("delay", [0.0, 3.0])
def test_a_lost_worker_is_one_error_and_leaves_the_older_answers(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    output: pathlib.Path,
    delay: float,
) -> None:
    before = content(output.parent)
    with start(bundle, corpus, output) as process:
        kill_one(process, WORKER, delay)
        _, told = process.communicate(timeout=120)
    assert process.returncode == 1
    errors = [x for x in told.splitlines() if x.startswith("error: ")]
    (line,) = errors
    assert line.startswith("error: A worker process of Beam's direct runner")
    assert content(output.parent) == before


def test_a_killed_command_leaves_the_older_answers(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    expected: list[Record],
    output: pathlib.Path,
) -> None:
    before = content(output)
    with start(bundle, corpus, output) as process:
        while not any(WORKER in x for _, x in descendants(process.pid)):
            time.sleep(0.05)
        process.kill()
    assert content(output) == before
    given = {"speed": 0.06, "max_batch_size": 2}
    score(str(bundle), str(corpus / "*.tsv"), str(output), **given)
    assert_answers(read(output), expected)
    assert os.listdir(output.parent) == ["scores"]
