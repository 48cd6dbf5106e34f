"""Parquet files are read as other tables are, or refused by name and row."""

import json
import pathlib
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="Parquet needs the extra `beam`")

import pyarrow
import pyarrow.parquet

from fastbert_tf.data.parquet_table import ParquetReader


def write(path: pathlib.Path, **columns: Any) -> pathlib.Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_rows_have_their_number_and_texts(tmp_path: pathlib.Path) -> None:
    columns = {"text_b": ["x", ""], "label": [1, 2], "text_a": ["a", "b\nc"]}
    path = write(tmp_path / "t.parquet", **columns)
    rows = list(ParquetReader(path).rows())
    assert [row.line for row in rows] == [1, 2]
    assert [row.text_a for row in rows] == ["a", "b\nc"]
    assert [row.text_b for row in rows] == ["x", ""]


def test_large_and_dictionary_strings_are_strings(
    tmp_path: pathlib.Path,
) -> None:
    texts = pyarrow.array(["a", "b", "a"])
    for kind in (texts.cast(pyarrow.large_string()), texts.dictionary_encode()):
        path = write(tmp_path / "t.parquet", text_a=kind)
        rows = ParquetReader(path, pairs=False).rows()
        assert [row.text_a for row in rows] == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("columns", "pairs", "message"),
    [
        ({"text": ["a"]}, None, r"columns \['text'\].* \['text_a'\]"),
        ({"text_a": ["a"]}, True, r"expected \['text_b'\] as well"),
        ({"text_a": ["a"], "text_b": ["b"]}, False, "a column 'text_b'"),
        ({"text_a": [3]}, None, "'text_a' as int64"),
        ({"text_a": [b"a"]}, None, "'text_a' as binary"),
        ({"text_a": ["a", None]}, None, r"row 2: received null in \['text_a'"),
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
        list(ParquetReader(path, pairs).rows())


def test_a_file_that_is_not_whole_is_refused(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "t.parquet", text_a=["a"] * 99)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="t.parquet is not a whole Parquet"):
        ParquetReader(path)


def test_a_missing_file_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match="No table at"):
        ParquetReader(tmp_path / "t.parquet")


def test_bad_rows_up_to_the_limit_go_aside(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "t.parquet", text_a=["a", None, "b", None])
    aside = tmp_path / "bad.jsonl"
    rows = list(ParquetReader(path).rows(2, aside))
    assert [row.line for row in rows] == [1, 3]
    lines = aside.read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [2, 4]
    with pytest.raises(ValueError, match="row 4"):
        list(ParquetReader(path).rows(1, aside))
