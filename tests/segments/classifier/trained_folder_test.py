import pathlib

import pytest

from fastbert_tf.segments.classifier.trained_folder import trained_folder


def test_what_is_not_there_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing at"):
        trained_folder(tmp_path / "no model")


def test_a_checkpoint_without_exits_is_to_be_trained_first(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"Train it first, with `TextClass"):
        trained_folder(tmp_path)


def test_a_bundle_and_a_file_are_told_where_they_belong(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match=r"export\.load_classifier"):
        trained_folder(tmp_path)
    with pytest.raises(ValueError, match="is a file"):
        trained_folder(tmp_path / "manifest.json")
