"""Rows by length, long texts apart, and files of other file systems."""

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("apache_beam", reason="the extra `beam` is not installed")

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

from fastbert_tf.export import read_bundle_manifest
from fastbert_tf.export.beam.file_systems import check_new, matched_files
from fastbert_tf.export.beam.texts import Example, ReadTexts, grouped


class _Elsewhere(LocalFileSystem):
    """Local files under another name, `elsewhere:///tmp/...`."""

    @classmethod
    def scheme(cls) -> str:
        return "elsewhere"

    def open(self, path: str, *arguments: Any) -> Any:
        return super().open(path.removeprefix("elsewhere://"), *arguments)

    def _list(self, folder: str) -> Iterator[FileMetadata]:
        for found in super()._list(folder.removeprefix("elsewhere://")):
            yield FileMetadata(f"elsewhere://{found.path}", found.size_in_bytes)


def reader(bundle: pathlib.Path) -> ReadTexts:
    result = ReadTexts(
        str(bundle), read_bundle_manifest(bundle), max_bad_rows=0
    )
    result.setup()
    return result


def test_rows_are_keyed_by_what_they_are_padded_to(
    bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("text_a\ngood\none two three four five six seven\n")
    rows = list(reader(bundle).process(str(path)))
    assert [key for key, _ in rows] == [(False, 8), (False, 11)]
    assert rows[0][1] == Example(str(path), 2, b"good", None)


def test_lone_surrogates_are_kept(
    bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text_a": "good \\ud800"}\n')
    ((_, text),) = reader(bundle).process(str(path))
    assert text.text_a == b"good \xed\xa0\x80"


def test_enormous_texts_are_held_a_few_at_a_time() -> None:
    texts = [Example("t", i, b"a" * (30 << 20), None) for i in range(5)]
    assert [len(group) for group in grouped(texts, 4)] == [3, 2]
    short = [Example("t", i, b"a", b"b") for i in range(5)]
    assert [len(group) for group in grouped(short, 4)] == [4, 1]


def test_a_file_elsewhere_is_read_and_told_of_by_its_name(
    bundle: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "t.tsv").write_text("text_a\tother\ngood\t1\nbad\n")
    path = f"elsewhere://{tmp_path}/t.tsv"
    assert matched_files(f"elsewhere://{tmp_path}/*.tsv") == [path]
    rows = reader(bundle).process(path)
    with pytest.raises(ValueError, match=f"^{path}, line 3: received 1 field"):
        list(rows)


def test_a_folder_elsewhere_must_be_new(tmp_path: pathlib.Path) -> None:
    check_new(f"elsewhere://{tmp_path}")
    (tmp_path / "scores.json").write_text("{}")
    with pytest.raises(ValueError, match=r"holds elsewhere://.*/scores.json"):
        check_new(f"elsewhere://{tmp_path}")
