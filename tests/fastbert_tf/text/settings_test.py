"""Tests of making a preprocessor from a folder, and of refusing one."""

import numpy as np
import pytest

from fastbert_tf.checkpoints.manifest import Manifest
from fastbert_tf.files.checked_read import file_sha256
from fastbert_tf.text.preprocessor import TextPreprocessor
from tests.fastbert_tf.text import text_oracle


@pytest.fixture
def folder(tmp_path):
    text_oracle.preprocessor().save(tmp_path)
    return tmp_path


def write_manifest(folder, preprocessing):
    """The manifest of a folder, as saving a model writes it."""
    names = ("vocab.txt", "normalization.npz")
    manifest = Manifest(
        num_classes=2,
        classifier={},
        labels=None,
        preprocessing=preprocessing,
        origin={},
        training=None,
        versions={},
        sha256={name: file_sha256(folder / name) for name in names},
    )
    (folder / "fastbert.json").write_text(manifest.to_text())


def test_saved_folder_gives_the_same_preprocessor(tmp_path):
    ours = text_oracle.preprocessor()
    assert ours.save(tmp_path) == ["vocab.txt", "normalization.npz"]
    settings = {"sequence_length": 9, "template": "uer", "do_lower_case": True}
    write_manifest(tmp_path, settings)
    again = TextPreprocessor.from_pretrained(tmp_path)
    assert again.config() == settings
    assert again.vocabulary == ours.vocabulary
    assert again.vocab_size == ours.vocab_size
    same = text_oracle.preprocessor(sequence_length=9, template="uer")
    texts = list(text_oracle.ODD_TEXTS)
    for key, value in same(texts).items():
        np.testing.assert_array_equal(again(texts)[key], value)


def test_folder_without_settings_uses_the_defaults(folder):
    assert TextPreprocessor.from_pretrained(folder).config() == {
        "sequence_length": 128,
        "template": "bert",
        "do_lower_case": True,
    }


def test_the_vocabulary_file_itself_may_be_given(folder):
    ours = TextPreprocessor.from_pretrained(folder / "vocab.txt", 16)
    assert ours.sequence_length == 16


def test_tokenizer_config_decides_about_casing(folder, monkeypatch):
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    monkeypatch.setattr(
        "fastbert_tf.text.unicode_table.build_unicode_table", text_oracle.table
    )
    assert not TextPreprocessor.from_pretrained(folder).do_lower_case
    assert TextPreprocessor.from_pretrained(
        folder, do_lower_case=True
    ).do_lower_case


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", '{"vocab_size": 9}', "expected 9.*config.json"),
        ("bert_config.json", '{"vocab_size": 9}', "bert_config.json"),
        ("config.json", "[1]", "config.json.*not a JSON object"),
        ("fastbert.json", "{", "fastbert.json"),
        ("fastbert.json", '{"format_version": 1}', "damaged or was edited"),
        ("tokenizer_config.json", '{"strip_accents": false}', "strip_acc"),
        (
            "tokenizer_config.json",
            '{"tokenize_chinese_chars": false}',
            "tokenize_chinese_chars",
        ),
    ],
)
def test_folder_that_contradicts_itself_is_refused(
    folder, name, content, message
):
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        TextPreprocessor.from_pretrained(folder)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"sequence_length": 2}, ValueError, "at least 3"),
        ({"sequence_length": 12.0}, ValueError, "sequence_length=12.0"),
        ({"template": "roberta"}, ValueError, "template='roberta'"),
        ({"do_lower_case": "yes"}, TypeError, "do_lower_case='yes'"),
    ],
)
def test_impossible_settings_are_refused(folder, settings, error, message):
    with pytest.raises(error, match=message):
        TextPreprocessor.from_pretrained(folder, **settings)


def test_settings_of_another_version_are_refused(folder):
    write_manifest(folder, {"sequence_length": 9})
    with pytest.raises(ValueError, match="must have the keys"):
        TextPreprocessor.from_pretrained(folder)


@pytest.mark.parametrize("name", ["vocab.txt", "normalization.npz"])
def test_a_damaged_file_of_a_saved_model_is_refused(folder, name):
    write_manifest(folder, text_oracle.preprocessor().config())
    content = bytearray((folder / name).read_bytes())
    content[-3] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        TextPreprocessor.from_pretrained(folder)


def test_a_missing_file_of_a_saved_model_is_refused(folder):
    write_manifest(folder, text_oracle.preprocessor().config())
    (folder / "normalization.npz").unlink()
    with pytest.raises(FileNotFoundError, match="normalization.npz"):
        TextPreprocessor.from_pretrained(folder)


def test_folder_without_vocabulary_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"vocab\.txt"):
        TextPreprocessor.from_pretrained(tmp_path)
