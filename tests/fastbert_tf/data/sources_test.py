"""Parquet and gzip are read as other tables are; other kinds are refused."""

import gzip
import json
import pathlib
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="Parquet needs the extra `parquet`")

import pyarrow
import pyarrow.parquet

from fastbert_tf import TextPreprocessor
from fastbert_tf.data import TableReader, load_dataset, read_labels, read_texts

from ...tiny_texts import write_vocabulary


def write(path: pathlib.Path, **columns: Any) -> pathlib.Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_rows_have_their_number_and_texts(tmp_path: pathlib.Path) -> None:
    columns = {"text_b": ["x", ""], "label": [1, 2], "text_a": ["a", "b\nc"]}
    path = write(tmp_path / "t.parquet", **columns)
    rows = list(TableReader(path, labelled=False).rows())
    assert [row.line for row in rows] == [1, 2]
    assert [row.text_a for row in rows] == ["a", "b\nc"]
    assert [row.text_b for row in rows] == ["x", ""]


def test_large_and_dictionary_strings_are_strings(
    tmp_path: pathlib.Path,
) -> None:
    texts = pyarrow.array(["a", "b", "a"])
    for kind in (texts.cast(pyarrow.large_string()), texts.dictionary_encode()):
        path = write(tmp_path / "t.parquet", text_a=kind)
        rows = TableReader(path, labelled=False, pairs=False).rows()
        assert [row.text_a for row in rows] == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("columns", "pairs", "message"),
    [
        ({"text": ["a"]}, None, r"columns \['text'\].* \['text_a'\]"),
        ({"text_a": ["a"]}, True, r"expected \['text_b'\] as well"),
        ({"text_a": ["a"], "text_b": ["b"]}, False, "a column 'text_b'"),
        ({"text_a": [3]}, None, "'text_a' as int64"),
        ({"text_a": [b"a"]}, None, "'text_a' as binary"),
        ({"text_a": ["a", None]}, None, "line 2: received text_a=None"),
        ({"text_a": pyarrow.array([], "string")}, None, "received 0 rows"),
    ],
)
def test_a_fault_is_told_with_the_file(
    tmp_path: pathlib.Path,
    columns: dict[str, Any],
    pairs: bool | None,
    message: str,
) -> None:
    path = write(tmp_path / "t.parquet", **columns)
    with pytest.raises(ValueError, match=f"t.parquet.*{message}"):
        list(TableReader(path, labelled=False, pairs=pairs).rows())


def test_a_file_that_is_not_whole_is_refused(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "t.parquet", text_a=["a"] * 99)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="t.parquet is not a whole Parquet"):
        TableReader(path, labelled=False)


def test_a_missing_file_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match="No table at"):
        TableReader(tmp_path / "t.parquet")


def test_bad_rows_up_to_the_limit_go_aside(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "t.parquet", text_a=["a", None, "b", None])
    aside = tmp_path / "bad.jsonl"
    rows = list(TableReader(path, labelled=False).rows(2, aside))
    assert [row.line for row in rows] == [1, 3]
    lines = aside.read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [2, 4]
    with pytest.raises(ValueError, match="line 4"):
        list(TableReader(path, labelled=False).rows(1, aside))


TABLES = {
    "t.tsv": "label\ttext_a\npos\ta film\nneg\tdull\n",
    "t.csv": "label,text_a\npos,a film\nneg,dull\n",
    "t.jsonl": '{"label": "pos", "text_a": "a film"}\n'
    '{"label": "neg", "text_a": "dull"}\n',
}


def tables(folder: pathlib.Path) -> list[pathlib.Path]:
    """The same two rows in every format."""
    paths = []
    for name, text in TABLES.items():
        (folder / name).write_text(text)
        with gzip.open(folder / f"{name}.gz", "wt") as file:
            file.write(text)
        paths += [folder / name, folder / f"{name}.gz"]
    columns = {"label": ["pos", "neg"], "text_a": ["a film", "dull"]}
    return [*paths, write(folder / "t.parquet", **columns)]


def test_every_format_has_the_same_rows(tmp_path: pathlib.Path) -> None:
    for path in tables(tmp_path):
        rows = list(TableReader(path).rows())
        assert [(x.label, x.text_a) for x in rows] == [
            ("pos", "a film"),
            ("neg", "dull"),
        ], path
        assert read_labels(path) == ["neg", "pos"]
        assert [x.text_a for x in read_texts(path)] == ["a film", "dull"]


def test_every_format_is_trained_on(tmp_path: pathlib.Path) -> None:
    write_vocabulary(tmp_path / "vocab.txt")
    preprocessor = TextPreprocessor.from_pretrained(tmp_path, 9)
    for path in tables(tmp_path):
        ((inputs, labels),) = load_dataset(path, preprocessor, batch_size=2)
        assert labels.numpy().tolist() == [1, 0], path
        assert inputs["token_ids"].shape[0] == 2


@pytest.mark.parametrize(
    "name", ["t.json", "t.xlsx", "t.gz", "t.zip", "t.html", "t.tsv.bz2"]
)
def test_a_kind_that_is_not_known_is_refused(
    tmp_path: pathlib.Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8bnot what it says")
    with pytest.raises(ValueError, match=name):
        list(read_texts(tmp_path / name))


@pytest.mark.parametrize("start", [b"\x1f\x8b", b"PAR1", b"PK\x03\x04", b"a\0"])
@pytest.mark.parametrize("name", ["t", "t.txt", "t.tsv", "t.jsonl"])
def test_binary_files_are_never_taken_for_text(
    tmp_path: pathlib.Path, name: str, start: bytes
) -> None:
    (tmp_path / name).write_bytes(start + b"more\n")
    with pytest.raises(ValueError, match=name):
        list(read_texts(tmp_path / name))


def test_a_gzip_file_that_is_cut_off_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(b"text_a\n" + b"a film\n" * 99)[:-9])
    with pytest.raises(ValueError, match="not a whole gzip file"):
        TableReader(path)


def test_without_pyarrow_parquet_is_refused_in_a_sentence(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "t.parquet", text_a=["a"])
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=r"fastbert-tf\[parquet\]"):
        TableReader(path)
