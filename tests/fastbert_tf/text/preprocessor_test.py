"""Tests of the preprocessor against Hugging Face's fast tokenizer."""

import random
import time

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.text.preprocessor import TextPreprocessor
from fastbert_tf.text.vocabulary import Vocabulary, read_vocabulary
from tests.fastbert_tf.text import text_oracle

SHARED_VOCABULARIES = pytest.mark.parametrize(
    "language", ["uncased", "chinese"]
)
CASES = pytest.mark.parametrize("do_lower_case", [True, False])
DATA_FILES = (
    "ag_news/dev.tsv",
    "book_review/dev.tsv",
    "chnsenticorp/dev.tsv",
    "lcqmc/pairs.tsv",
    "sst2/dev.tsv",
    "trec6/train.tsv",
)


@pytest.fixture
def ours():
    return text_oracle.preprocessor()


def real_lines(seed, count):
    """Lines drawn from the data sets, label and all."""
    rng = random.Random(seed)
    lines = []
    for name in DATA_FILES:
        text = text_oracle.shared_data(name).read_text(encoding="utf-8")
        lines += rng.sample(text.split("\n"), count)
    return lines


def shared_tokens(language):
    path = text_oracle.shared_data("vocab", f"bert-base-{language}.txt")
    return read_vocabulary(path).tokens


def without_literals(texts):
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    return [t for t in texts if not any(word in t for word in special)]


def check(tokens, do_lower_case, length, texts, tmp_path):
    ours = text_oracle.preprocessor(tokens, do_lower_case, length)
    oracle = text_oracle.hugging_face(tmp_path / "hf", tokens, do_lower_case)
    texts = without_literals(texts)
    pairs = random.Random(length).sample(texts, len(texts))
    text_oracle.assert_same_as_hugging_face(ours, oracle, texts)
    text_oracle.assert_same_as_hugging_face(ours, oracle, texts, pairs)


@CASES
@pytest.mark.parametrize("length", [8, 65])
def test_small_vocabulary_gives_hugging_face_ids(
    do_lower_case, length, tmp_path
):
    texts = [*text_oracle.ODD_TEXTS, *text_oracle.random_texts(length, 300)]
    tokens = text_oracle.SMALL_TOKENS
    check(tokens, do_lower_case, length, texts, tmp_path)


@SHARED_VOCABULARIES
@CASES
def test_real_vocabulary_gives_hugging_face_ids(
    language, do_lower_case, tmp_path
):
    texts = [*text_oracle.ODD_TEXTS, *text_oracle.random_texts(1, 200)]
    texts += real_lines(seed=2, count=40)
    check(shared_tokens(language), do_lower_case, 64, texts, tmp_path)


@pytest.mark.slow
@SHARED_VOCABULARIES
@CASES
def test_many_texts_give_hugging_face_ids(language, do_lower_case, tmp_path):
    texts = [*text_oracle.random_texts(7, 4000), *real_lines(3, 800)]
    check(shared_tokens(language), do_lower_case, 33, texts, tmp_path)


@pytest.mark.parametrize("text", ["", " \t\n", "\u200b\x00"])
def test_blank_text_is_cls_and_sep(ours, text):
    inputs = ours([text])
    cls, sep = (ours.vocabulary.index(t) for t in ("[CLS]", "[SEP]"))
    assert inputs["token_ids"].numpy().tolist() == [[cls, sep]]


def test_no_rows_give_one_position(ours):
    for inputs in (ours([]), ours([], [])):
        assert all(value.shape == (0, 1) for value in inputs.values())
        assert all(value.dtype == tf.int32 for value in inputs.values())


@CASES
def test_literal_special_tokens_are_text(do_lower_case):
    ours = text_oracle.preprocessor(do_lower_case=do_lower_case)
    ids = ours(["[SEP] [CLS][MASK] [sep] [PAD] [UNK]"])["token_ids"][0, 1:-1]
    special = [ours.vocabulary.index(t) for t in ("[CLS]", "[SEP]", "[MASK]")]
    assert not set(special) & set(ids.numpy().tolist())
    assert 0 not in ids.numpy()


def test_a_megabyte_of_text_is_cut_and_flagged_in_bounded_time(ours):
    begin = time.perf_counter()
    inputs, truncated = ours.encode(["a film " * 150_000, "b" * 100_000])
    # A guard against hanging: work that is quadratic takes hours.
    assert time.perf_counter() - begin < 120
    assert inputs["token_ids"].shape == (2, 128)
    assert truncated.numpy().tolist() == [True, False]
    unknown = ours.vocabulary.index("[UNK]")
    assert inputs["token_ids"][1, 1] == unknown
    assert tf.reduce_sum(inputs["padding_mask"][1]) == 3


def test_lone_surrogates_and_broken_bytes_are_dropped(ours):
    inputs = ours(["a\ud800b", b"a\xffb", b"a\xed\xa0\x80b", "ab"])
    ids = inputs["token_ids"].numpy()
    np.testing.assert_array_equal(ids, np.tile(ids[3], (4, 1)))


def test_lists_tuples_arrays_and_tensors_agree(ours):
    texts = ["a film", "the"]
    expected = ours(texts)["token_ids"]
    for form in (tuple(texts), np.array(texts), tf.constant(texts)):
        np.testing.assert_array_equal(ours(form)["token_ids"], expected)


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("one text", TypeError, "list of strings. Received: one str"),
        (b"one text", TypeError, "Received: one bytes"),
        (["a", None], TypeError, r"texts\[1\] of type NoneType"),
        (["a", 3], TypeError, r"texts\[1\] of type int"),
        ([["a"]], TypeError, r"texts\[0\] of type list"),
        (7, TypeError, "Received: int"),
        (tf.constant([1]), TypeError, "dtype=int32"),
        (tf.constant([["a"]]), ValueError, "one axis"),
        (np.array([["a"]]), ValueError, "one axis"),
    ],
)
def test_bad_texts_are_refused(ours, texts, error, message):
    with pytest.raises(error, match=message):
        ours(texts)


def test_pairs_of_another_number_are_refused(ours):
    with pytest.raises(ValueError, match="2 texts and 1 pairs"):
        ours(["a", "b"], ["a"])


def test_pairs_of_another_number_are_refused_in_a_graph(ours):
    spec = tf.TensorSpec([None], tf.string)
    call = tf.function(ours.__call__, input_signature=[spec, spec])
    with pytest.raises(tf.errors.InvalidArgumentError, match="same number"):
        call(tf.constant(["a", "b"]), tf.constant(["a"]))


def test_one_trace_serves_every_batch_size():
    ours = TextPreprocessor(
        Vocabulary(text_oracle.SMALL_TOKENS), text_oracle.table(True)
    )
    for count in (0, 1, 5, 300):
        ours(["a film"] * count)
    assert ours._encode_single.experimental_get_tracing_count() == 1


def test_tf_data_gives_the_same_inputs(ours):
    texts = [*text_oracle.ODD_TEXTS, *text_oracle.random_texts(4, 20)]
    data = tf.data.Dataset.from_tensors(texts).map(ours)
    for name, value in next(iter(data)).items():
        np.testing.assert_array_equal(value, ours(texts)[name])


def test_saved_model_gives_the_same_inputs(ours, tmp_path):
    texts = [*text_oracle.ODD_TEXTS, *text_oracle.random_texts(4, 20)]
    module = tf.Module()
    module.preprocessor = ours
    spec = tf.TensorSpec([None], tf.string, name="texts")
    module.single = tf.function(ours.__call__, input_signature=[spec])
    module.pair = tf.function(ours.__call__, input_signature=[spec, spec])
    tf.saved_model.save(module, tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    for args in ((texts,), (texts, texts[::-1])):
        expected = ours(*args)
        name = "single" if len(args) == 1 else "pair"
        found = getattr(loaded, name)(*map(tf.constant, args))
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value)
