import io
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from absl import flags

from fastbert_tf import FastBertClassifier, TextPreprocessor
from fastbert_tf.commands.launch import report_mistakes
from fastbert_tf.export import export_segments
from fastbert_tf.export.commands import predict
from fastbert_tf.segments import Driver, build_segments

from ...tiny_models import random_model
from ...tiny_texts import TEXTS, TOKENS, write_vocabulary

LABELS = ["one", "two", "three", "four", "fünf"]
OVERFLOWING = "three"  # Of this word the model has enormous embeddings.
SOUND = [text for text in TEXTS if OVERFLOWING not in text.split()[:7]]


def run(folder: pathlib.Path, **given: Any) -> int | None:
    """The command's exit status, None for 0."""
    values = flags.FlagValues()
    predict.define_flags(values)
    if "bundle_dir" not in given:
        given = {"model_dir": folder / "model", **given}
    values(["fastbert-predict", *(f"--{k}={v}" for k, v in given.items())])
    return report_mistakes(lambda argv: predict.main(argv, values), ["x"])


def read(path: pathlib.Path) -> list[dict[str, Any]]:
    """The records of a file, which must be strict JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"not JSON: {name}")

    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_constant=refuse) for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with `model/` and `texts.tsv`."""
    folder = tmp_path_factory.mktemp("predict")
    write_vocabulary(folder / "vocab.txt")
    preprocessor = TextPreprocessor.from_pretrained(
        folder / "vocab.txt", sequence_length=9
    )
    model = random_model(1, num_hidden_layers=2)
    table = model.embeddings.token_embedding.embeddings.numpy()
    table[TOKENS.index(OVERFLOWING)] = 3e38
    model.embeddings.token_embedding.embeddings.assign(table)
    path = str(folder / "model")
    model.save_pretrained(path, preprocessor=preprocessor, labels=LABELS)
    rows = "".join(f"{text}\n" for text in TEXTS)
    (folder / "texts.tsv").write_text("text_a\n" + rows)
    return folder


@pytest.fixture(scope="module")
def bundle(folder: pathlib.Path) -> pathlib.Path:
    """The model of `folder` as a bundle for pairs or single texts alike."""
    model = FastBertClassifier.from_pretrained(str(folder / "model"))
    preprocessor = TextPreprocessor.from_pretrained(folder / "model")
    path = folder / "bundle"
    export_segments(model, path, preprocessor, LABELS, speed=1.0)
    return path


@pytest.fixture(scope="module")
def records(folder: pathlib.Path) -> list[dict[str, Any]]:
    """What a run over `texts.tsv` writes."""
    output = folder / "answers.jsonl"
    status = run(
        folder,
        input_path=folder / "texts.tsv",
        output_path=output,
        batch_size=2,
    )
    assert not status
    return read(output)


def test_every_row_is_answered_in_order(
    folder: pathlib.Path, records: list[dict[str, Any]]
) -> None:
    model = FastBertClassifier.from_pretrained(str(folder / "model"))
    preprocessor = TextPreprocessor.from_pretrained(folder / "model")
    driver = Driver(build_segments(model))
    answered = [r for r in records if "error" not in r]
    assert len(records) == len(TEXTS)
    for text, record in zip(SOUND, answered, strict=True):
        result = driver.predict(preprocessor([text]), 0.5)
        assert record["label"] == LABELS[result.labels[0]]
        assert record["exit_index"] == result.exit_index[0]
        np.testing.assert_allclose(
            record["probabilities"], result.probabilities[0], atol=1e-5
        )


def test_a_record_has_the_documented_fields(
    records: list[dict[str, Any]],
) -> None:
    record = records[1]
    assert list(record) == [
        "label",
        "probability",
        "probabilities",
        "uncertainty",
        "exit_index",
        "truncated",
    ]
    assert record["probability"] == max(record["probabilities"])


def test_a_row_that_overflows_is_an_error_of_its_own(
    records: list[dict[str, Any]],
) -> None:
    bad = [OVERFLOWING in text.split()[:7] for text in TEXTS]
    assert ["error" in record for record in records] == bad
    assert {r["label"] for r in records if "error" in r} == {None}


def test_blank_texts_are_answered(records: list[dict[str, Any]]) -> None:
    blank = [i for i, text in enumerate(TEXTS) if not text.strip()]
    assert len(blank) == 2
    assert all(records[i]["label"] in LABELS for i in blank)


def test_cut_texts_are_flagged(records: list[dict[str, Any]]) -> None:
    expected = [len(text.split()) > 7 for text in TEXTS]
    assert [record["truncated"] for record in records] == expected


def test_a_text_a_line_goes_from_stdin_to_stdout(
    folder: pathlib.Path,
    records: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    lines = io.BytesIO("\r\n".join(TEXTS).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(lines))
    assert not run(folder, batch_size=2)
    output, progress = capsys.readouterr()
    assert [json.loads(line) for line in output.splitlines()] == records
    assert f"{len(TEXTS)} rows" in progress


def test_lines_that_are_not_utf8_are_bad_rows(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "texts").write_bytes(b"good \xff\xfe\ndull\n")
    output = tmp_path / "answers.jsonl"
    assert run(folder, input_path=tmp_path / "texts", output_path=output)
    assert not output.exists()


BAD_TABLE = "text_a\tother\ngood\t1\nbad\ndull\t2\n"


def test_bad_rows_up_to_the_limit_go_to_a_side_file(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "texts.tsv").write_text(BAD_TABLE)
    output, aside = tmp_path / "answers.jsonl", tmp_path / "bad.jsonl"
    status = run(
        folder,
        input_path=tmp_path / "texts.tsv",
        output_path=output,
        max_bad_rows=1,
        bad_rows_path=aside,
    )
    assert not status
    assert len(read(output)) == 2
    assert [row["line"] for row in read(aside)] == [3]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"input_path": "texts.tsv"}, "texts.tsv, line 3"),
        ({"input_path": "missing.tsv"}, "No input at missing.tsv"),
        ({"input_path": "missing"}, "No input at missing"),
        ({"model_dir": "nowhere"}, "No folder at nowhere"),
        ({"speed": "1.5"}, "Received: speed=1.5"),
        ({"speed": "nan"}, "Received: speed=nan"),
        ({"max_bad_rows": "1"}, "needs a `bad_rows_path`"),
        ({"output_path": "no-folder/answers.jsonl"}, "no-folder"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_output(
    folder: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    given: dict[str, str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    pathlib.Path("texts.tsv").write_text(BAD_TABLE)
    defaults = {"input_path": "texts.tsv", "output_path": "answers.jsonl"}
    assert run(folder, **defaults | given) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert os.listdir() == ["texts.tsv"]


def run_process(*arguments: str) -> subprocess.CompletedProcess[str]:
    root = pathlib.Path(predict.__file__).parents[2]
    root = root.parent if root.name == "fastbert_tf" else root
    return subprocess.run(
        [sys.executable, "-m", predict.__name__, *arguments],
        input="\n".join(TEXTS),
        capture_output=True,
        text=True,
        cwd=root,
    )


@pytest.mark.slow
def test_the_command_answers_in_a_process_of_its_own(
    folder: pathlib.Path, records: list[dict[str, Any]]
) -> None:
    finished = run_process(f"--model_dir={folder / 'model'}")
    lines = finished.stdout.splitlines()
    labels = [json.loads(line)["label"] for line in lines]
    assert labels == [record["label"] for record in records]


@pytest.mark.slow
def test_the_command_ends_with_status_one_after_a_mistake(
    folder: pathlib.Path,
) -> None:
    finished = run_process(f"--model_dir={folder / 'model'}", "--speed=2")
    assert finished.returncode == 1
    assert "speed=2.0" in finished.stderr


@pytest.mark.parametrize("name", ["texts.tsv", "lines.txt"])
def test_a_model_of_pairs_refuses_single_texts(
    folder: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    model = FastBertClassifier.from_pretrained(str(folder / "model"))
    preprocessor = TextPreprocessor.from_pretrained(folder / "model")
    pairs = str(tmp_path / "pairs")
    model.save_pretrained(pairs, preprocessor, LABELS, {"pairs": True})
    (tmp_path / "lines.txt").write_text("a good film\n")
    (tmp_path / "texts.tsv").write_text("text_a\na good film\n")
    assert run(tmp_path, model_dir=pairs, input_path=tmp_path / name) == 1
    assert "text_b" in capsys.readouterr().err


def test_a_bundle_answers_as_the_model(
    folder: pathlib.Path,
    bundle: pathlib.Path,
    records: list[dict[str, Any]],
    tmp_path: pathlib.Path,
) -> None:
    output = tmp_path / "answers.jsonl"
    paths = {"input_path": folder / "texts.tsv", "output_path": output}
    assert not run(folder, bundle_dir=bundle, speed=0.5, batch_size=2, **paths)
    assert read(output) == records


def test_a_bundle_brings_its_speed(
    folder: pathlib.Path, bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "texts").write_text("good\ndull\n")
    output = tmp_path / "answers.jsonl"
    paths = {"input_path": tmp_path / "texts", "output_path": output}
    assert not run(folder, bundle_dir=bundle, **paths)
    assert [record["exit_index"] for record in read(output)] == [0, 0]


def test_another_precision_than_the_bundle_has_is_refused(
    folder: pathlib.Path,
    bundle: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(folder, bundle_dir=bundle, precision="bfloat16") == 1
    assert "Received: precision='bfloat16'" in capsys.readouterr().err


def test_a_model_and_a_bundle_at_once_are_refused(
    folder: pathlib.Path, bundle: pathlib.Path
) -> None:
    with pytest.raises(flags.IllegalFlagValueError, match="bundle_dir"):
        run(folder, bundle_dir=bundle, model_dir=folder / "model")
