"""A killed worker, a full disk, a second writer: whole answers or the old."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")

from fastbert_tf.export.beam import Scoring, score
from fastbert_tf.export.beam.settings import SUMMARY_FILE
from fastbert_tf.files.atomic_folder import replaced_folder
from tests.export.beam.conftest import Record, assert_answers, read
from tests.export.bundles import content

# Each starts TensorFlow in processes of its own.
pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[3]


def scoring(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    tmp_path: pathlib.Path,
    **more: Any,
) -> Scoring:
    source, output = corpus / "*.tsv", tmp_path / "scores"
    paths = [str(path) for path in (bundle, source, output)]
    return Scoring(*paths, speed=0.06, batch_size=2, **more)


def test_answers_take_the_place_of_older_ones(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    expected: list[Record],
    tmp_path: pathlib.Path,
) -> None:
    output = tmp_path / "scores"
    output.mkdir()
    (output / SUMMARY_FILE).write_text("{}")
    (output / "scores-00001-of-00002.jsonl").write_text("{}\n")
    summary = score(scoring(bundle, corpus, tmp_path))
    assert_answers(read(output), expected)
    assert json.loads((output / SUMMARY_FILE).read_text()) == vars(summary)
    assert os.listdir(tmp_path) == ["scores"]


def test_a_mistake_leaves_the_older_answers(
    bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    output = tmp_path / "scores"
    output.mkdir()
    (output / SUMMARY_FILE).write_text("{}")
    (tmp_path / "t.tsv").write_text("text_a\tother\ngood\t1\nbad\n")
    before = content(tmp_path)
    with pytest.raises(ValueError, match="t.tsv, line 3"):
        score(scoring(bundle, tmp_path, tmp_path))
    assert content(tmp_path) == before


def test_a_folder_of_something_else_is_refused_at_once(
    bundle: pathlib.Path, corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores/thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="a folder with other contents"):
        score(scoring(bundle, corpus, tmp_path))


def test_a_second_writer_is_refused(
    bundle: pathlib.Path, corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with replaced_folder(str(tmp_path / "scores"), SUMMARY_FILE):
        with pytest.raises(ValueError, match="Another process is writing"):
            score(scoring(bundle, corpus, tmp_path))


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


def command(given: Scoring, *beam_options: str) -> list[str]:
    return [
        *(sys.executable, "-m", "fastbert_tf.export.commands.score_beam"),
        *(f"--bundle_dir={given.bundle_dir}", "--speed=0.06"),
        *(f"--input_path={given.input_path}", "--batch_size=2"),
        *(f"--output_path={given.output_path}", "--", *beam_options),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "word"),
    [("multi_processing", "sdk_worker_main"), ("in_memory", "spawn_main")],
)
@pytest.mark.parametrize("delay", [0.0, 3.0])
def test_a_killed_worker_changes_no_answer(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    expected: list[Record],
    tmp_path: pathlib.Path,
    mode: str,
    word: str,
    delay: float,
) -> None:
    given = scoring(bundle, corpus, tmp_path)
    options = (f"--direct_running_mode={mode}", "--direct_num_workers=1")
    with subprocess.Popen(
        command(given, *options), cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        kill_one(process, word, delay)
        assert "process is lost" in process.stderr.read()
    assert process.returncode == 0
    assert_answers(read(tmp_path / "scores"), expected)
    assert os.listdir(tmp_path) == ["scores"]


@pytest.mark.slow
def test_a_killed_command_leaves_the_older_answers_and_no_process(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    expected: list[Record],
    tmp_path: pathlib.Path,
) -> None:
    given = scoring(bundle, corpus, tmp_path)
    score(given)
    before = content(tmp_path)
    with subprocess.Popen(command(given), cwd=ROOT, text=True) as process:
        while not any("spawn_main" in x for _, x in descendants(process.pid)):
            time.sleep(0.05)
        (worker,) = (
            pid for pid, x in descendants(process.pid) if "spawn_main" in x
        )
        time.sleep(3)
        process.kill()
    assert content(tmp_path / "scores") == content_of_scores(before)
    ended = time.monotonic() + 30
    while os.path.exists(f"/proc/{worker}") and time.monotonic() < ended:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{worker}")
    score(given)
    assert_answers(read(tmp_path / "scores"), expected)
    assert os.listdir(tmp_path) == ["scores"]


def content_of_scores(files: dict[str, bytes]) -> dict[str, bytes]:
    return {x.removeprefix("scores/"): data for x, data in files.items()}
