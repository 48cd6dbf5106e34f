"""`fastbert-train`, end to end on a tiny checkpoint, and its refusals."""

import csv
import pathlib
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from absl import flags

from fastbert_tf import FastBertClassifier, TextPreprocessor
from fastbert_tf.checkpoints import read_manifest
from fastbert_tf.commands import train
from fastbert_tf.commands.launch import report_mistakes

from ...tiny_texts import TOKENS, write_vocabulary
from ...tolerances import tolerance
from ...workers import run_workers
from ..checkpoints import tiny

ROWS = [(f"class {i % 3}", f"{TOKENS[5 + i % 3]} film") for i in range(12)]


def run(folder: pathlib.Path, **given: Any) -> int | None:
    """The command's exit status, None for 0."""
    values = flags.FlagValues()
    train.define_flags(values)
    given = {**flags_of(folder), **given}
    values(["fastbert-train", *(f"--{k}={v}" for k, v in given.items())])
    return report_mistakes(lambda argv: train.main(argv, values), ["x"])


def flags_of(folder: pathlib.Path) -> dict[str, Any]:
    return {
        "pretrained_model_path": folder / "bert",
        "train_path": folder / "train.tsv",
        "dev_path": folder / "dev.tsv",
        "output_model_path": folder / "model",
        "epochs_num": 1,
        "distill_epochs_num": 1,
        "batch_size": 5,
        "seq_length": 7,
    }


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with `bert/`, `train.tsv` and `dev.tsv`."""
    tiny.write_huggingface(tmp_path / "bert")
    write_vocabulary(tmp_path / "bert" / "vocab.txt")
    rows = "".join(f"{label}\t{text}\n" for label, text in ROWS)
    for name in ("train.tsv", "dev.tsv"):
        (tmp_path / name).write_text("label\ttext_a\n" + rows)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What one run left, with logs and stacked blocks."""
    folder = tmp_path_factory.mktemp("train")
    tiny.write_shallow(folder / "bert")
    write_vocabulary(folder / "bert" / "vocab.txt")
    rows = "".join(f"{label}\t{text}\n" for label, text in ROWS)
    for name in ("train.tsv", "dev.tsv", "texts.tsv"):
        (folder / name).write_text("label\ttext_a\n" + rows)
    status = run(
        folder,
        num_layers=2,
        temperature=2,
        distill_path=folder / "texts.tsv",
        training_log_dir=folder / "logs",
        tensorboard=True,
    )
    assert status is None
    return folder


def test_the_folder_holds_a_model_of_the_labels(trained: pathlib.Path) -> None:
    model = FastBertClassifier.from_pretrained(str(trained / "model"))
    assert model.config.num_classes == 3
    assert read_manifest(str(trained / "model")).labels == [
        "class 0",
        "class 1",
        "class 2",
    ]


def test_the_folder_says_how_it_was_made(trained: pathlib.Path) -> None:
    manifest = read_manifest(str(trained / "model"))
    assert manifest.origin["block_repetition"] == 2
    assert manifest.training["temperature"] == 2.0
    assert manifest.training["batch_size"] == 5
    assert manifest.pairs is False


def test_the_folder_holds_its_preprocessor(trained: pathlib.Path) -> None:
    preprocessor = TextPreprocessor.from_pretrained(trained / "model")
    assert preprocessor.sequence_length == 7
    inputs = preprocessor([f"{TOKENS[6]} {TOKENS[7]}"])
    np.testing.assert_array_equal(inputs["token_ids"][0, 1:3], [6, 7])


def test_both_stages_leave_a_row_an_epoch(trained: pathlib.Path) -> None:
    for stage, column in (
        ("stage1", "val_accuracy"),
        ("stage2", "val_exit_1_accuracy"),
    ):
        path = trained / "logs" / f"{stage}.csv"
        with path.open(encoding="utf-8") as file:
            (row,) = csv.DictReader(file)
        assert 0 <= float(row[column]) <= 1


def test_tensorboard_finds_events(trained: pathlib.Path) -> None:
    for stage in ("stage1", "stage2"):
        assert list((trained / "logs" / stage).rglob("events.*"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train_path": "missing.tsv"}, "No table at missing.tsv"),
        ({"pretrained_model_path": "/missing"}, "There is nothing at"),
        ({"num_layers": 4}, "must be a multiple of the checkpoint's 3"),
        ({"learning_rate": -1}, "Learning rates must be positive"),
        ({"warmup": 2}, "`warmup` must be a share"),
        ({"temperature": 0}, "`temperature` must be positive"),
        ({"seq_length": 10}, "Rows must be 1 to 9 tokens long"),
        ({"tensorboard": True}, "`tensorboard` needs a folder"),
    ],
)
def test_a_mistake_is_told_and_nothing_written(
    folder: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, Any],
    message: str,
) -> None:
    assert run(folder, **given) == 1
    assert message in capsys.readouterr().err
    assert not (folder / "model").exists()


def test_a_label_unknown_to_the_training_file_is_refused(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "dev.tsv").write_text("label\ttext_a\nclass 9\tfilm\n")
    assert run(folder) == 1
    error = capsys.readouterr().err
    assert "dev.tsv" in error
    assert "class 9" in error
    assert "class 0" in error


def test_a_folder_of_something_else_is_refused_before_training(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "thesis.txt").write_text("mine")
    assert run(folder) == 1
    assert "other contents" in capsys.readouterr().err
    assert (folder / "model" / "thesis.txt").read_text() == "mine"


def test_a_vocabulary_of_another_model_is_refused(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "other.txt").write_text("\n".join(TOKENS[:-1]) + "\n")
    assert run(folder, vocab_path=folder / "other.txt") == 1
    assert "must have 23 tokens" in capsys.readouterr().err


def test_a_dev_file_of_pairs_does_not_fit_single_texts(
    folder: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{label}\t{text}\tfilm\n" for label, text in ROWS)
    (folder / "dev.tsv").write_text("label\ttext_a\ttext_b\n" + rows)
    assert run(folder) == 1
    assert "expected single texts" in capsys.readouterr().err


def test_bad_rows_up_to_the_limit_are_stepped_over(
    folder: pathlib.Path,
) -> None:
    with (folder / "train.tsv").open("a") as file:
        file.write("one field only\n")
    bad = folder / "bad.jsonl"
    given = {"epochs_num": 0, "distill_epochs_num": 0, "bad_rows_path": bad}
    assert run(folder, **given) == 1
    assert run(folder, max_bad_rows=1, **given) is None
    assert "one field only" in bad.read_text()


def test_training_on_keeps_the_meaning_of_the_classes(
    trained: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (trained / "train.tsv").read_text().replace("class 2", "another")
    (trained / "renamed.tsv").write_text(text)
    given = {
        "pretrained_model_path": trained / "model",
        "train_path": trained / "renamed.tsv",
        "output_model_path": trained / "second",
    }
    assert run(trained, **given) == 1
    assert "The labels must be those of" in capsys.readouterr().err


def test_an_official_bin_trains_on_with_the_vocabulary_beside_it(
    folder: pathlib.Path,
) -> None:
    encoder = tiny.official_tensors()
    encoder = {k: v for k, v in encoder.items() if "classifiers" not in k}
    path, config_path = tiny.write_official(folder / "bert", encoder)
    status = run(
        folder,
        pretrained_model_path=path,
        config_path=config_path,
        epochs_num=0,
        distill_epochs_num=0,
    )
    assert status is None
    manifest = read_manifest(str(folder / "model"))
    assert manifest.preprocessing["template"] == "uer"


@pytest.mark.parametrize("strategy", ["none", "mirrored"])
def test_strategies_of_one_process_leave_a_model(
    folder: pathlib.Path, strategy: str
) -> None:
    given = {"epochs_num": 0, "distill_epochs_num": 0, "strategy": strategy}
    assert run(folder, **given) is None
    assert (folder / "model" / "fastbert.json").exists()


def test_a_worker_without_its_place_is_told(
    folder: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TF_CONFIG", "host0:12345")
    assert run(folder, strategy="multi_worker") == 1
    assert "TF_CONFIG, and it is not JSON" in capsys.readouterr().err


@pytest.mark.slow
def test_two_workers_leave_the_model_of_one_process(
    folder: pathlib.Path,
) -> None:
    changes = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    tiny.write_huggingface(folder / "bert", **changes)
    logs = folder / "logs"
    given = {**flags_of(folder), "output_model_path": folder / "together"}
    command = ["-m", "fastbert_tf.commands.train", "--strategy=multi_worker"]
    command += [f"--{name}={value}" for name, value in given.items()]
    first, second = run_workers(
        [[*command, f"--training_log_dir={logs / name}"] for name in "01"],
        folder,
    )
    assert (first.returncode, second.returncode) == (0, 0), first.stdout
    assert "Saved to" in first.stdout
    assert "Saved to" not in second.stdout
    assert [path.name for path in logs.iterdir()] == ["0"]
    assert run(folder) is None
    one, both = (
        safetensors.numpy.load_file(folder / name / "model.safetensors")
        for name in ("model", "together")
    )
    for name, value in one.items():
        np.testing.assert_allclose(both[name], value, **tolerance())
