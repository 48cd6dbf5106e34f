"""The demo's encoder: found without importing, and only if it is the one."""

import hashlib
import importlib
import sys

import pytest

from fastbert_tf.segments.demo.encoder import check_files, encoder_folder

DIGEST = hashlib.sha256(b"content").hexdigest()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that must not be imported, with a model folder."""
    (tmp_path / "made_up" / "model").mkdir(parents=True)
    init = tmp_path / "made_up" / "__init__.py"
    init.write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return tmp_path / "made_up" / "model"


def test_a_missing_package_is_an_error_with_the_command_that_mends_it():
    with pytest.raises(ModuleNotFoundError, match="--no-deps"):
        encoder_folder("no_such_package")


def test_a_missing_file_is_named_and_the_package_not_imported(package):
    with pytest.raises(FileNotFoundError, match=r"made_up.*config\.json"):
        encoder_folder("made_up")
    assert "made_up" not in sys.modules


def test_another_file_is_refused_with_both_digests(package):
    (package / "config.json").write_bytes(b"other")
    other = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(ValueError, match=f"(?s){other}.*953f9c0d.*make venv"):
        encoder_folder("made_up")


def test_files_of_the_right_digest_pass(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    check_files(tmp_path, {"file": DIGEST})
