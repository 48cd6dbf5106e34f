"""Tests of folders with a `tokenizer.json`, as transformers writes them."""

import json
import re

import pytest
import transformers

from fastbert_tf.text import tokenizer_json
from fastbert_tf.text.preprocessor import TextPreprocessor
from fastbert_tf.text.tokenizer_json import read_tokenizer_json
from tests.fastbert_tf.text import text_oracle

TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b")


@pytest.fixture(autouse=True)
def tables_made_once(monkeypatch):
    monkeypatch.setattr(
        "fastbert_tf.text.unicode_table.build_unicode_table", text_oracle.table
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The text of a small `tokenizer.json` that transformers wrote."""
    root = tmp_path_factory.mktemp("saved")
    text_oracle.hugging_face(root / "text", TOKENS).save_pretrained(root)
    return (root / "tokenizer.json").read_text()


@pytest.fixture
def file(tmp_path, saved):
    path = tmp_path / "tokenizer.json"
    path.write_text(saved)
    return path


def change(file, key, value):
    """Sets what is at the dotted `key`, or removes it if `value` is `...`."""
    fields = inner = json.loads(file.read_text())
    *outer, last = key.split(".")
    for name in outer:
        inner = inner[int(name) if isinstance(inner, list) else name]
    if value is ...:
        del inner[last]
    else:
        inner[int(last) if isinstance(inner, list) else last] = value
    file.write_text(json.dumps(fields))


@pytest.mark.parametrize("lower", [True, False])
def test_ids_are_those_of_transformers_on_the_same_folder(tmp_path, lower):
    written = text_oracle.hugging_face(tmp_path / "text", do_lower_case=lower)
    folder = tmp_path / "saved"
    written.save_pretrained(folder)
    assert not (folder / "vocab.txt").exists()
    oracle = transformers.AutoTokenizer.from_pretrained(str(folder))
    ours = TextPreprocessor.from_pretrained(folder)
    assert ours.do_lower_case is lower
    texts = [*text_oracle.ODD_TEXTS, *text_oracle.random_texts(5, 200)]
    text_oracle.assert_same_as_hugging_face(ours, oracle, texts)
    text_oracle.assert_same_as_hugging_face(ours, oracle, texts, texts[::-1])


def test_the_file_itself_may_be_given(file):
    assert TextPreprocessor.from_pretrained(file).vocabulary == TOKENS


def test_what_does_not_decide_about_tokens_is_ignored(file):
    change(file, "truncation", {"max_length": 128})
    change(file, "padding", {"strategy": {"Fixed": 128}})
    change(file, "decoder", None)
    assert read_tokenizer_json(file).vocabulary.tokens == TOKENS


def test_the_older_form_of_the_template_is_read(file):
    older = {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]}
    change(file, "post_processor", older)
    assert read_tokenizer_json(file).do_lower_case


@pytest.mark.parametrize("value", [..., None, 1, "x", [], [1], {}, {"a": 1}])
@pytest.mark.parametrize(
    "key",
    [
        "model",
        "model.type",
        "model.unk_token",
        "model.continuing_subword_prefix",
        "model.max_input_chars_per_word",
        "model.vocab",
        "model.vocab.a",
        "normalizer",
        "normalizer.type",
        "normalizer.clean_text",
        "normalizer.handle_chinese_chars",
        "normalizer.lowercase",
        "pre_tokenizer",
        "pre_tokenizer.type",
        "added_tokens.0.id",
        "added_tokens.0.content",
        "post_processor",
        "post_processor.type",
        "post_processor.single",
        "post_processor.pair",
        "post_processor.special_tokens",
        "post_processor.special_tokens.[CLS]",
        "post_processor.special_tokens.[CLS].ids",
    ],
)
def test_a_field_of_another_kind_is_refused_by_name(file, key, value):
    change(file, key, value)
    with pytest.raises(ValueError, match=re.escape(str(file))):
        read_tokenizer_json(file)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.type", "BPE", "received 'BPE' as `model.type`.*'WordPiece'"),
        ("model.max_input_chars_per_word", 200, "received 200.*expected 100"),
        ("model.vocab.a", 9, "received 9 as `model.vocab.a`.*without gaps"),
        ("model.vocab.a", True, "received True as `model.vocab.a`"),
        ("model.vocab.a", 0, r"an id of its own, not that of '\[PAD\]'"),
        ("model.vocab.", 7, "id 7: received an empty token"),
        ("model.vocab.\ud800", 7, "without line ends"),
        ("model.vocab.x\ny", 7, "without line ends"),
        ("model.vocab.[SEP]", ..., "without gaps"),
        ("normalizer.strip_accents", False, "expected True as `lowercase`"),
        ("normalizer.type", "Lowercase", "'BertNormalizer'"),
        ("added_tokens", None, "`added_tokens`, expected a list"),
        ("added_tokens.0", 1, r"`added_tokens\[0\]`, expected an object"),
        ("added_tokens.0.content", "[NEW]", "received '\\[NEW\\]'"),
        ("added_tokens.0.id", 3, "expected 0"),
        ("post_processor.special_tokens.[CLS].ids", [3], r"expected \[2\]"),
    ],
)
def test_another_tokenizer_is_refused_by_what_it_is(file, key, value, message):
    change(file, key, value)
    with pytest.raises(ValueError, match=f"tokenizer.json.*{message}"):
        read_tokenizer_json(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"[]", "must hold a JSON object"),
        (b"\xff", "not UTF-8"),
        (b'{"model": {', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"model": 1, "model": 2}', "'model' is there twice"),
    ],
)
def test_a_damaged_file_is_refused(file, content, message):
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"tokenizer.json.*{message}"):
        read_tokenizer_json(file)


def test_a_file_beyond_the_limit_is_refused_unread(file, monkeypatch):
    monkeypatch.setattr(tokenizer_json, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match="expected at most 100"):
        read_tokenizer_json(file)


def test_both_files_that_agree_are_read(file):
    (file.parent / "vocab.txt").write_text("\n".join(TOKENS))
    ours = TextPreprocessor.from_pretrained(file.parent)
    assert ours.vocabulary == TOKENS


def test_both_files_that_differ_are_refused_by_name(file):
    (file.parent / "vocab.txt").write_text("\n".join([*TOKENS[:-1], "c"]))
    message = "(?s)vocab.txt.*tokenizer.json.*differ from id 6"
    with pytest.raises(ValueError, match=message):
        TextPreprocessor.from_pretrained(file.parent)


def test_a_folder_with_neither_is_told_of_both(tmp_path):
    with pytest.raises(FileNotFoundError, match="vocab.txt.*tokenizer.json"):
        TextPreprocessor.from_pretrained(tmp_path)


def test_casing_is_read_where_the_configuration_is_silent(file):
    change(file, "normalizer.lowercase", False)
    (file.parent / "tokenizer_config.json").write_text("{}")
    assert not TextPreprocessor.from_pretrained(file.parent).do_lower_case


def test_a_configuration_of_another_casing_is_refused(file):
    other = file.parent / "tokenizer_config.json"
    other.write_text('{"do_lower_case": false}')
    message = "tokenizer_config.json.*do_lower_case=False, expected True"
    with pytest.raises(ValueError, match=message):
        TextPreprocessor.from_pretrained(file.parent)
