"""`fastbert-export`: what it writes, and what it refuses."""

import os
import pathlib
from typing import Any

import pytest
from absl import flags

from fastbert_tf import FastBertClassifier, TextPreprocessor
from fastbert_tf.commands.launch import report_mistakes
from fastbert_tf.export import load_segments, read_bundle_manifest
from fastbert_tf.export.bundle.manifest import Usage
from fastbert_tf.export.commands import export

from ..conftest import LABELS


@pytest.fixture(scope="module")
def model_dir(
    tmp_path_factory: pytest.TempPathFactory,
    models: list[FastBertClassifier],
    preprocessor: TextPreprocessor,
) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("export") / "model"
    training = {"pairs": True}
    models[1].save_pretrained(str(folder), preprocessor, LABELS, training)
    return folder


def run(**given: Any) -> int | None:
    """The command's exit status, None for 0."""
    values = flags.FlagValues()
    export.define_flags(values)
    values(["fastbert-export", *(f"--{k}={v}" for k, v in given.items())])
    return report_mistakes(lambda argv: export.main(argv, values), ["x"])


def test_a_model_folder_becomes_a_bundle(
    model_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = tmp_path / "bundle"
    paths = {"model_dir": model_dir, "bundle_dir": bundle}
    assert not run(**paths, precision="bfloat16", speed=0.75, exits="1")
    manifest = read_bundle_manifest(bundle)
    assert manifest.labels == tuple(LABELS)
    assert manifest.usage == Usage(0.75, pairs=True)
    assert [x.name for x in load_segments(bundle)] == ["M0-M1"]
    printed = capsys.readouterr().out
    assert printed.startswith(f"{bundle}: 1 segments of bfloat16, 10 files")


def test_a_bundle_that_serves_is_asked_for(
    model_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    bundle = tmp_path / "bundle"
    assert not run(model_dir=model_dir, bundle_dir=bundle, serving=True)
    assert read_bundle_manifest(bundle).has_serving
    assert (bundle / "serving/1/saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model_dir": "nowhere"}, "nowhere"),
        ({"exits": "0"}, "must rise and end with the last, 1"),
        ({"exits": "0,last"}, "`--exits` must be whole numbers"),
        ({"speed": "2", "model_dir": "nowhere"}, "Received: speed=2.0"),
        ({"bundle_dir": "."}, "a folder with other contents"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    model_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    pathlib.Path("thesis.tex").write_text("years of work")
    paths = {"model_dir": model_dir, "bundle_dir": "bundle"}
    assert run(**paths | given) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert os.listdir() == ["thesis.tex"]
