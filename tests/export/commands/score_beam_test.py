"""`fastbert-score-beam`: what it writes, and what it refuses."""

import importlib.util
import os
import pathlib
from typing import Any

import pytest
from absl import app, flags

from fastbert_tf.commands.launch import report_mistakes
from fastbert_tf.export.commands import score_beam

# Tests that start TensorFlow in processes of their own.
in_processes = pytest.mark.slow


def run(*beam_options: str, **given: Any) -> int | None:
    """The command's exit status, None for 0."""
    values = flags.FlagValues()
    score_beam.define_flags(values)
    arguments = [*(f"--{k}={v}" for k, v in given.items()), "--", *beam_options]
    rest = values(["fastbert-score-beam", *arguments])
    return report_mistakes(lambda argv: score_beam.main(argv, values), rest)


def paths(bundle: pathlib.Path, folder: pathlib.Path) -> dict[str, Any]:
    (folder / "t.tsv").write_text("text_a\ngood\ndull\n")
    source, output = folder / "t.tsv", folder / "scores"
    return {
        "bundle_dir": bundle,
        "input_path": source,
        "output_path": output,
    }


@in_processes
def test_answers_and_what_beam_was_told_are_there(
    bundle: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("apache_beam", reason="`beam` is not installed")
    given = paths(bundle, tmp_path)
    options = ("--direct_num_workers=1", "--job_name=ours")
    assert not run(*options, **given, num_shards=2)
    printed = capsys.readouterr().out
    assert printed.startswith(f"{tmp_path}/scores: 2 rows, 0 bad, mean depth")
    assert printed.endswith("at speed 0.25\n")
    assert sorted(os.listdir(tmp_path / "scores")) == [
        "scores-00000-of-00002.jsonl",
        "scores-00001-of-00002.jsonl",
        "scores.json",
    ]


@in_processes
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"bundle_dir": "nowhere"}, "nowhere"),
        ({"input_path": "missing.tsv"}, "No input at"),
        ({"speed": "nan"}, "Received: speed=nan"),
        ({"output_path": "t.tsv"}, "is a file"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    bundle: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, str],
    message: str,
) -> None:
    pytest.importorskip("apache_beam", reason="`beam` is not installed")
    defaults = paths(bundle, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(**defaults | given) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert os.listdir(tmp_path) == ["t.tsv"]


def test_without_beam_the_way_to_get_it_is_told(
    bundle: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run(**paths(bundle, tmp_path)) == 1
    assert "pip install 'fastbert-tf[beam]'" in capsys.readouterr().err


def test_what_is_no_flag_is_refused(
    bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(app.UsageError, match="Not a flag: texts.tsv"):
        run("texts.tsv", **paths(bundle, tmp_path))
