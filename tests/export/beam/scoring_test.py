"""What a run is refused for, and that answers are whole or the old ones."""

import json
import os
import pathlib
from typing import Any

import pytest

pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")

from fastbert_tf.export.beam import Summary, score
from fastbert_tf.export.beam.scoring import SUMMARY_FILE
from fastbert_tf.files import replaced_folder
from tests.export.beam.conftest import Record, assert_answers, read
from tests.export.bundles import content


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"speed": 1.5}, "speed=1.5"),
        ({"output_format": "csv"}, "must be one of .* Received: 'csv'"),
        ({"max_batch_size": 0}, "Received: max_batch_size=0"),
        ({"num_shards": -1}, "Received: num_shards=-1"),
        ({"max_bad_rows": -1}, "Received: max_bad_rows=-1"),
        ({"bundle_dir": "gs://b/bundle"}, "must be a folder"),
    ],
)
def test_an_impossible_run_is_refused(
    bundle: pathlib.Path, given: dict[str, Any], message: str
) -> None:
    paths = {"bundle_dir": str(bundle), "input_path": "i", "output_path": "o"}
    with pytest.raises(ValueError, match=message):
        score(**paths | given)


def run(
    bundle: pathlib.Path, folder: pathlib.Path, output: pathlib.Path
) -> Summary:
    given = {"speed": 0.06, "max_batch_size": 2}
    return score(str(bundle), str(folder / "*.tsv"), str(output), **given)


@pytest.fixture
def output(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder of older answers, alone in its parent."""
    output = tmp_path / "output" / "scores"
    output.mkdir(parents=True)
    (output / SUMMARY_FILE).write_text("{}")
    (output / "scores-00001-of-00002.jsonl").write_text("{}\n")
    return output


def test_answers_take_the_place_of_older_ones(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    expected: list[Record],
    output: pathlib.Path,
) -> None:
    summary = run(bundle, corpus, output)
    assert_answers(read(output), expected)
    assert json.loads((output / SUMMARY_FILE).read_text()) == vars(summary)
    assert os.listdir(output.parent) == ["scores"]


def test_a_mistake_leaves_the_older_answers(
    bundle: pathlib.Path, tmp_path: pathlib.Path, output: pathlib.Path
) -> None:
    (tmp_path / "t.tsv").write_text("text_a\tother\ngood\t1\nbad\n")
    before = content(output.parent)
    with pytest.raises(ValueError, match="t.tsv, line 3"):
        run(bundle, tmp_path, output)
    assert content(output.parent) == before


def test_a_folder_of_something_else_is_refused_at_once(
    bundle: pathlib.Path, corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores/thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="a folder with other contents"):
        run(bundle, corpus, tmp_path / "scores")


def test_a_second_writer_is_refused(
    bundle: pathlib.Path, corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with replaced_folder(str(tmp_path / "scores"), SUMMARY_FILE):
        with pytest.raises(ValueError, match="Another process is writing"):
            run(bundle, corpus, tmp_path / "scores")
