import os

import pytest

from fastbert_tf.files import atomic_folder as replacing
from fastbert_tf.files.atomic_folder import replaced_folder

MARKER = "marker.json"


def write(path, text):
    with replaced_folder(str(path), MARKER) as folder:
        with open(os.path.join(folder, MARKER), "w") as file:
            file.write(text)


def test_what_a_killed_writer_left_is_taken_over(tmp_path):
    (tmp_path / ".model.partial" / "deep").mkdir(parents=True)
    (tmp_path / ".model.partial" / "half").write_text("x")
    write(tmp_path / "model", "new")
    assert os.listdir(tmp_path) == ["model"]
    assert os.listdir(tmp_path / "model") == [MARKER]


def test_the_old_folder_of_a_killed_writer_comes_back(tmp_path):
    write(tmp_path / ".model.old", "old")
    with pytest.raises(RuntimeError):
        with replaced_folder(str(tmp_path / "model"), MARKER):
            raise RuntimeError
    assert (tmp_path / "model" / MARKER).read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_a_finished_replacement_removes_what_was_set_aside(tmp_path):
    write(tmp_path / "model", "new")
    write(tmp_path / ".model.old", "older")
    write(tmp_path / "model", "newer")
    assert os.listdir(tmp_path) == ["model"]


@pytest.fixture
def in_two_steps(monkeypatch):
    """As where two folders cannot change places in one step."""
    monkeypatch.setattr(replacing, "_exchange", lambda *_: False)


def test_folders_are_replaced_in_two_steps_too(tmp_path, in_two_steps):
    write(tmp_path / "model", "old")
    write(tmp_path / "model", "new")
    assert (tmp_path / "model" / MARKER).read_text() == "new"
    assert os.listdir(tmp_path) == ["model"]


def test_there_is_a_folder_at_every_moment(tmp_path, monkeypatch):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    if not replacing._exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("the file system cannot swap two folders")
    write(tmp_path / "model", "old")
    monkeypatch.delattr(os, "rename")
    write(tmp_path / "model", "new")
    assert (tmp_path / "model" / MARKER).read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["model", "one", "other"]


def test_a_failed_rename_puts_the_old_folder_back(
    tmp_path, monkeypatch, in_two_steps
):
    write(tmp_path / "model", "old")
    rename = os.rename

    def fails_once(source, target):
        if source.endswith(".partial"):
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails_once)
    with pytest.raises(OSError, match="Input/output error"):
        write(tmp_path / "model", "new")
    assert (tmp_path / "model" / MARKER).read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_an_interrupt_leaves_nothing_behind(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with replaced_folder(str(tmp_path / "model"), MARKER):
            raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_a_planted_link_is_not_written_through(tmp_path):
    (tmp_path / "outside").mkdir()
    os.symlink(tmp_path / "outside", tmp_path / ".model.partial")
    with pytest.raises(OSError):
        write(tmp_path / "model", "new")
    assert os.listdir(tmp_path / "outside") == []


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path):
    with replaced_folder(str(tmp_path / "model"), MARKER) as folder:
        with pytest.raises(ValueError, match="Another process is writing"):
            write(tmp_path / "model", "second")
        with open(os.path.join(folder, MARKER), "w") as file:
            file.write("first")
    assert (tmp_path / "model" / MARKER).read_text() == "first"


def test_writers_of_different_folders_do_not_meet(tmp_path):
    with replaced_folder(str(tmp_path / "one"), MARKER):
        write(tmp_path / "two", "x")
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]
