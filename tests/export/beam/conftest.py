"""A corpus in several files, and what `fastbert-predict` says of it."""

import json
import pathlib
from typing import Any

import pytest
from absl import flags

from fastbert_tf.export.commands import predict

from ...tiny_texts import TEXTS

Record = dict[str, Any]
_NUMBERS = ("probability", "probabilities", "uncertainty")


def read(folder: pathlib.Path) -> list[Record]:
    """The records of a folder of answers, by file and line."""
    records = []
    for path in folder.glob("scores-*.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()
        records += [json.loads(line) for line in lines]
    return sorted(records, key=lambda record: (record["file"], record["line"]))


def assert_answers(records: list[Record], expected: list[Record]) -> None:
    """`records` are `expected` with the place of the row besides.

    Numbers may differ in their last bits: other rows ran beside a row.
    """
    assert len(records) == len(expected)
    for record, other in zip(records, expected, strict=True):
        assert list(record) == ["file", "line", *other]
        for name, value in other.items():
            same = value
            if name in _NUMBERS:
                same = pytest.approx(value, rel=0, abs=1e-5)
            assert record[name] == same, name


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Two TSVs; the second has a quote, which is text there."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, texts in (("a.tsv", TEXTS), ("b.tsv", ['"fine', *TEXTS[::-1]])):
        rows = "".join(f"{text}\t7\n" for text in texts)
        (folder / name).write_text("text_a\tother\n" + rows)
    return folder


@pytest.fixture(scope="session")
def expected(
    corpus: pathlib.Path,
    bundle: pathlib.Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Record]:
    """What `fastbert-predict` writes for the files of `corpus`, in order."""
    output = tmp_path_factory.mktemp("expected") / "answers.jsonl"
    records = []
    for path in sorted(corpus.iterdir()):
        values = flags.FlagValues()
        predict.define_flags(values)
        paths = {"bundle_dir": bundle, "input_path": path}
        paths |= {"output_path": output, "speed": 0.06}
        values(["predict", *(f"--{k}={v}" for k, v in paths.items())])
        predict.main(["predict"], values)
        lines = output.read_text(encoding="utf-8").splitlines()
        records += [json.loads(line) for line in lines]
    return records
