"""Beam answers as `fastbert-predict` does, whatever the format."""

import json
import math
import os
import pathlib
from typing import Any

import pytest

pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")

import pyarrow
import pyarrow.parquet

from fastbert_tf.data import TableReader
from fastbert_tf.export.beam import Summary, score
from fastbert_tf.export.beam import pipeline as module
from fastbert_tf.export.beam.pipeline import MAX_OVERHEAD, rows_per_call
from fastbert_tf.segments.scheduler import Plan, Scheduler, run_to_end
from tests.export.beam.conftest import Record, assert_answers, read


def run(
    bundle: pathlib.Path,
    source: pathlib.Path,
    folder: pathlib.Path,
    **more: Any,
) -> Summary:
    given = {"speed": 0.06, "max_batch_size": 2} | more
    return score(str(bundle), str(source), str(folder), **given)


def test_every_row_has_the_answer_of_predict(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    expected: list[Record],
    tmp_path: pathlib.Path,
) -> None:
    summary = run(bundle, corpus / "*.tsv", tmp_path)
    records = read(tmp_path)
    assert_answers(records, expected)
    assert {x["exit_index"] for x in records} == {0, 1}
    assert [x["line"] for x in records if x["file"].endswith("a.tsv")] == [
        *range(2, 9)
    ]
    depth = sum(x["exit_index"] + 1 for x in records) / len(records)
    assert summary == Summary(len(expected), 0, pytest.approx(depth), 0.06)
    assert json.loads((tmp_path / "scores.json").read_text()) == vars(summary)


def write_as(
    extension: str, source: pathlib.Path, folder: pathlib.Path
) -> None:
    rows = TableReader(source, labelled=False).rows()
    texts = [row.text_a for row in rows]
    path = folder / f"{source.stem}.{extension}"
    if extension == "parquet":
        table = pyarrow.table({"other": texts, "text_a": texts})
        pyarrow.parquet.write_table(table, path)
    elif extension == "jsonl":
        lines = [json.dumps({"text_a": text}) + "\n" for text in texts]
        path.write_text("".join(lines))
    else:
        quoted = [text.replace('"', '""') for text in texts]
        lines = [f'7,"{text}"\n' for text in quoted]
        path.write_text("".join(["other,text_a\n", *lines]))


@pytest.mark.parametrize(
    "extension",
    [
        pytest.param("csv", marks=pytest.mark.slow),
        pytest.param("jsonl", marks=pytest.mark.slow),
        "parquet",
    ],
)
def test_other_tables_are_answered_alike(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    expected: list[Record],
    tmp_path: pathlib.Path,
    extension: str,
) -> None:
    for source in corpus.iterdir():
        write_as(extension, source, tmp_path)
    run(bundle, tmp_path / f"*.{extension}", tmp_path / "scores")
    assert_answers(read(tmp_path / "scores"), expected)


def test_parquet_holds_the_same_records(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    expected: list[Record],
    tmp_path: pathlib.Path,
) -> None:
    more = {"output_format": "parquet", "num_shards": 3}
    run(bundle, corpus / "*.tsv", tmp_path, **more)
    assert len(list(tmp_path.glob("scores-*-of-00003.parquet"))) == 3
    table = pyarrow.parquet.read_table(sorted(tmp_path.glob("*.parquet")))
    table = table.sort_by([("file", "ascending"), ("line", "ascending")])
    records = table.to_pylist()
    assert [record.pop("error") for record in records] == [None] * len(expected)
    assert_answers(records, expected)


def test_pairs_are_answered_as_pairs(
    pair_bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "t.tsv").write_text("text_b\ttext_a\ndull\tgood\ngood\tdull\n")
    run(pair_bundle, tmp_path / "t.tsv", tmp_path / "scores", speed=0.0)
    one, other = read(tmp_path / "scores")
    assert one["probabilities"] != other["probabilities"]


def test_a_bad_row_is_refused_with_file_and_line(
    bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "t.tsv").write_text("text_a\tother\ngood\t1\nbad\n")
    path = tmp_path / "t.tsv"
    with pytest.raises(ValueError, match=f"^{path}, line 3: received 1 fie"):
        run(bundle, path, tmp_path / "scores")


def test_bad_rows_up_to_the_limit_are_written_aside(
    bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("text_a\tother\ngood\t1\nbad\ndull\t2\n")
    summary = run(bundle, path, tmp_path / "scores", max_bad_rows=1)
    assert (summary.num_rows, summary.num_bad_rows) == (2, 1)
    (aside,) = (tmp_path / "scores").glob("bad_rows-*.jsonl")
    entry = json.loads(aside.read_text())
    assert (entry["file"], entry["line"]) == (str(path), 3)
    assert entry["content"] == "bad"


def test_a_pattern_without_files_is_refused(
    bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(FileNotFoundError, match=r"No input at .*\*\.tsv"):
        run(bundle, tmp_path / "*.tsv", tmp_path)


def test_a_damaged_bundle_is_refused_by_the_worker(
    bundle_copy: pathlib.Path, corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    weights = bundle_copy / "M1/variables/variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[::-1])
    with pytest.raises(ValueError, match="M1/variables.* is damaged"):
        run(bundle_copy, corpus / "*.tsv", tmp_path / "scores")


def test_a_file_whose_name_is_a_pattern_is_read(
    bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "t[1].tsv"
    path.write_text("text_a\ngood\n")
    assert run(bundle, path, tmp_path / "scores").num_rows == 1


def test_calls_hold_rows_of_one_length(
    bundle: pathlib.Path,
    corpus: pathlib.Path,
    expected: list[Record],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    answer = module.BundleHandler.run_inference

    def spy(self: Any, batch: Any, *arguments: Any) -> Any:
        calls.append(batch)
        return answer(self, batch, *arguments)

    monkeypatch.setattr(module.BundleHandler, "run_inference", spy)
    run(bundle, corpus / "*.tsv", tmp_path)
    # Tokens of a text, [CLS] and [SEP] included, up to 8 and up to 9.
    counts = [{len(text.text_a.split()) > 6 for text in call} for call in calls]
    assert sorted(counts, key=str) == [{False}, {True}]
    assert sum(map(len, calls)) == len(expected)
    assert os.listdir(tmp_path)


class _Leaving:
    """Row i leaves at the exit `depths[i]`; counts the batches."""

    def __init__(self, depths: list[int]) -> None:
        self.depths = depths
        self.num_batches = 0

    def launch(self, plan: Plan) -> Plan:
        self.num_batches += 1
        return plan

    def collect(self, plan: Plan, step: Plan) -> list[bool]:
        return [self.depths[row] == step.segment for row in step.row_ids]


@pytest.mark.parametrize("deepest", [0, 3, 11])
def test_batches_that_are_not_full_cost_under_five_percent(
    deepest: int,
) -> None:
    num_rows = rows_per_call(num_exits=12, max_batch_size=8)
    depths = [row % 7919 % (deepest + 1) for row in range(num_rows)]
    scheduler, executor = Scheduler(12, 8), _Leaving(depths)
    scheduler.add(16, list(range(num_rows)))
    scheduler.close()
    run_to_end(scheduler, executor)
    full = math.fsum(depth + 1 for depth in depths) / 8
    assert full <= executor.num_batches <= (1 + MAX_OVERHEAD) * full
