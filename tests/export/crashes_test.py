"""A full disk, a second writer, a kill: the old bundle or the new one."""

import contextlib
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

from fastbert_tf import FastBertClassifier, TextPreprocessor
from fastbert_tf.export import export_segments
from fastbert_tf.export.bundle.manifest import MANIFEST_FILE
from fastbert_tf.files.atomic_folder import replaced_folder

from ..tiny_models import random_model, tiny_inputs
from .bundles import answers, content

Model = FastBertClassifier


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model(3, num_hidden_layers=1)


@contextlib.contextmanager
def file_size_limit(num_bytes: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    "num_bytes",
    [
        100,
        pytest.param(5_000, marks=pytest.mark.slow),
        pytest.param(50_000, marks=pytest.mark.slow),
        pytest.param(300_000, marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_leaves_the_old_bundle_and_nothing_else(
    model: Model,
    preprocessor: TextPreprocessor,
    tmp_path: pathlib.Path,
    num_bytes: int,
) -> None:
    export_segments(model, tmp_path / "bundle", preprocessor)
    before = content(tmp_path)
    with file_size_limit(num_bytes):
        with pytest.raises(OSError):
            export_segments(model, tmp_path / "bundle", preprocessor)
    assert content(tmp_path) == before
    answers(tmp_path / "bundle")


def test_a_second_writer_is_refused_and_the_first_goes_on(
    model: Model, preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "bundle"
    export_segments(model, path, preprocessor)
    before = content(path)
    with replaced_folder(str(path), MANIFEST_FILE) as folder:
        with pytest.raises(ValueError, match="Another process is writing"):
            export_segments(model, path, preprocessor)
        (pathlib.Path(folder) / MANIFEST_FILE).write_bytes(
            before[MANIFEST_FILE]
        )
    assert content(tmp_path) == {
        f"bundle/{MANIFEST_FILE}": before[MANIFEST_FILE]
    }


_EXPORT = """
import os, signal, sys
from fastbert_tf import TextPreprocessor
from fastbert_tf.files import atomic_folder
from fastbert_tf.export import export_segments
from tests.tiny_models import random_model

path, vocabulary, moment = sys.argv[1:]
preprocessor = TextPreprocessor.from_pretrained(vocabulary, 9)
models = [random_model(seed, num_hidden_layers=1) for seed in (5, 6)]
export_segments(models[0], path, preprocessor)

def die_at(place):
    def run(*arguments):
        if place == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)
    real = getattr(atomic_folder, place)
    setattr(atomic_folder, place, run)

for place in ("_sync_tree", "_swap", "_empty"):
    die_at(place)
print("exported", flush=True)
while True:
    for model in models[::-1]:
        export_segments(model, path, preprocessor)
"""


@contextlib.contextmanager
def exporting_process(
    tmp_path: pathlib.Path, preprocessor: TextPreprocessor, moment: str
) -> Iterator[subprocess.Popen[str]]:
    """Writes two bundles in turn once it has said that one is there."""
    preprocessor.save(tmp_path)
    path = str(tmp_path / "bundle")
    vocabulary = str(tmp_path / "vocab.txt")
    command = [sys.executable, "-c", _EXPORT, path, vocabulary, moment]
    root = pathlib.Path(__file__).parents[2]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "exported\n"
        yield process
        process.kill()
    assert process.returncode == -signal.SIGKILL


def check_old_or_new(path: pathlib.Path) -> int:
    """The place of the model whose answers the bundle gives."""
    received = answers(path)
    logits = [
        random_model(seed, num_hidden_layers=1)(tiny_inputs())
        for seed in (5, 6)
    ]
    distances = [float(np.abs(received - x).max()) for x in logits]
    assert sorted(distances)[0] < 1e-5 < sorted(distances)[1]
    return int(np.argmin(distances))


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["_empty", "_sync_tree", "_swap"])
def test_killed_before_the_swap_the_old_bundle_is_there(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path, moment: str
) -> None:
    with exporting_process(tmp_path, preprocessor, moment) as process:
        process.wait(60)
    assert check_old_or_new(tmp_path / "bundle") == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_any_moment_the_old_or_the_new_bundle_is_there(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path, seed: int
) -> None:
    with exporting_process(tmp_path, preprocessor, "never") as process:
        time.sleep(np.random.default_rng(seed).uniform(0, 4))
        process.kill()
    check_old_or_new(tmp_path / "bundle")
    # What the killed one left does not stand in the way of the next.
    model = random_model(5, num_hidden_layers=1)
    export_segments(model, tmp_path / "bundle", preprocessor)
    assert sorted(os.listdir(tmp_path)) == [
        "bundle",
        "normalization.npz",
        "vocab.txt",
    ]
