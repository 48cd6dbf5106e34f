"""A file that is not there, and what is said of it."""

import pathlib

import pytest

from fastbert_tf.files import require_file


def test_a_folder_that_is_not_there_is_told_from_a_missing_file(
    tmp_path: pathlib.Path,
) -> None:
    with pytest.raises(FileNotFoundError, match="There is no folder .*nope"):
        require_file(str(tmp_path / "nope" / "a.json"))
    with pytest.raises(FileNotFoundError, match="a folder without it"):
        require_file(str(tmp_path / "a.json"))


def test_an_empty_file_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.json").touch()
    with pytest.raises(ValueError, match=r"a\.json is empty"):
        require_file(str(tmp_path / "a.json"))
