"""`fastbert-evaluate`, end to end on a tiny model, and its refusals."""

import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from absl import app, flags

import fastbert_tf
from fastbert_tf.commands import evaluate
from fastbert_tf.commands.launch import report_mistakes
from fastbert_tf.config import FastBertConfig
from fastbert_tf.data.dataset import load_dataset
from fastbert_tf.evaluation import collect_exits, evaluate_speeds
from fastbert_tf.model import FastBertClassifier
from fastbert_tf.text.preprocessor import TextPreprocessor

VOCABULARY = "[PAD] [UNK] [CLS] [SEP] [MASK] good bad fine dull film a the"
ROWS = [
    ("pos", "a good film"),
    ("neg", "the dull film"),
    ("pos", "fine"),
    ("neg", "bad bad the film a bad dull"),
    ("pos", "the good a fine"),
]
FIELDS = [
    "accuracy",
    "mean_depth",
    "exit_histogram",
    "flops_per_example",
    "flops_speedup",
    "paper_flops_speedup",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with `model/`, of two blocks, and `test.tsv`."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "vocab.txt").write_text(VOCABULARY.replace(" ", "\n") + "\n")
    rows = "".join(f"{label}\t{text}\n" for label, text in ROWS)
    (folder / "test.tsv").write_text("label\ttext_a\n" + rows)
    preprocessor = TextPreprocessor.from_pretrained(
        folder / "vocab.txt", sequence_length=8
    )
    config = FastBertConfig(
        vocab_size=preprocessor.vocab_size,
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=20,
        max_position_embeddings=9,
        classifier_hidden_size=8,
    )
    keras.utils.set_random_seed(7)
    model = FastBertClassifier(config)
    model.save_pretrained(
        str(folder / "model"), preprocessor=preprocessor, labels=["neg", "pos"]
    )
    return folder


@pytest.fixture(scope="module")
def evaluated(folder):
    """What one run of the command printed and wrote."""
    outputs = folder / "outputs"
    outputs.mkdir()
    arguments = {
        "speeds": "0,0.9999,1",
        "output": str(outputs / "report.jsonl"),
        "plot": str(outputs / "curve.png"),
        "batch_size": "2",
    }
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = run(folder, **arguments)
    lines = (outputs / "report.jsonl").read_text().splitlines()
    reports = [json.loads(line) for line in lines]
    return status, printed.getvalue(), reports, outputs


def run(folder, **arguments):
    """The command's `main` as `launch` runs it; gives the exit status."""
    defaults = {
        "model_dir": str(folder / "model"),
        "test_path": str(folder / "test.tsv"),
    }
    values = flags.FlagValues()
    evaluate.define_flags(values)
    given = {**defaults, **arguments}
    values(["fastbert-evaluate", *(f"--{k}={v}" for k, v in given.items())])
    return report_mistakes(lambda argv: evaluate.main(argv, values), ["x"])


def test_output_has_a_line_a_speed_and_then_a_line_an_exit(evaluated):
    status, _, reports, _ = evaluated
    assert not status
    assert [list(r) for r in reports[:3]] == [["speed", *FIELDS]] * 3
    assert [list(r) for r in reports[3:]] == [["exit_index", *FIELDS]] * 2
    assert [r["speed"] for r in reports[:3]] == [0, 0.9999, 1]
    assert [r["exit_index"] for r in reports[3:]] == [0, 1]


def test_output_equals_what_the_library_computes(folder, evaluated):
    model = FastBertClassifier.from_pretrained(str(folder / "model"))
    preprocessor = TextPreprocessor.from_pretrained(folder / "model")
    dataset = load_dataset(
        folder / "test.tsv", preprocessor, labels=["neg", "pos"]
    )
    trace = collect_exits(model, dataset)
    (report,) = evaluate_speeds(trace, model.config, [1.0], 8)
    received = evaluated[2][2]
    assert received["accuracy"] == report.accuracy
    assert received["exit_histogram"] == report.exit_histogram
    for name in FIELDS[3:]:
        np.testing.assert_allclose(received[name], getattr(report, name))


def test_tables_have_full_depth_every_speed_and_every_exit(evaluated):
    printed = evaluated[1]
    for text in ("5 examples", "full depth", "speed 0.9999", "M0 alone"):
        assert text in printed


def test_nothing_but_report_and_curve_is_written(evaluated):
    names = sorted(path.name for path in evaluated[3].iterdir())
    assert names == ["curve.png", "report.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"speeds": "NaN"}, "`speed` must be in [0, 1]"),
        ({"speeds": "0,2"}, "Received: speed=2.0"),
        ({"speeds": "abc"}, "Received: 'abc'"),
        ({"speeds": ""}, "at least"),
        ({"test_path": "missing.tsv"}, "missing.tsv"),
        ({"model_dir": "no-model"}, "no-model"),
        ({"output": "no-folder/report.jsonl"}, "no-folder"),
    ],
)
def test_a_mistake_is_one_line_on_stderr_and_status_1(
    folder, tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    status = run(folder, **{"output": "report.jsonl", **arguments})
    printed = capsys.readouterr()
    assert status == 1
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
    assert not list(tmp_path.iterdir())


def test_a_failed_run_leaves_the_old_output(folder, tmp_path):
    output = tmp_path / "report.jsonl"
    output.write_text("old")
    assert run(folder, output=str(output), test_path="missing.tsv") == 1
    assert output.read_text() == "old"


def test_an_argument_that_is_no_flag_is_a_usage_error():
    with pytest.raises(app.UsageError, match="Not a flag: test.tsv"):
        evaluate.main(["fastbert-evaluate", "test.tsv"])


@pytest.mark.slow
def test_the_command_exits_with_the_status_of_a_mistake(tmp_path):
    root = pathlib.Path(fastbert_tf.__file__).parents[1]
    command = [sys.executable, "-m", "fastbert_tf.commands.evaluate"]
    flags_ = ["--model_dir=no-model", "--test_path=missing.tsv"]
    ended = subprocess.run(
        [*command, *flags_],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert not list(tmp_path.iterdir())
    assert ended.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in ended.stderr
