"""Tests of special tokens and truncation, against Hugging Face for `bert`."""

import pytest

from tests.fastbert_tf.text import text_oracle


@pytest.mark.parametrize("length", [3, 4, 7, 8])
def test_pairs_are_cut_longest_first(length, tmp_path):
    texts = [" ".join("abcdefgh"[:count]) for count in range(9)] * 9
    pairs = [" ".join("stuvwxyz"[: row // 9]) for row in range(81)]
    ours = text_oracle.preprocessor(sequence_length=length)
    oracle = text_oracle.hugging_face(tmp_path)
    text_oracle.assert_same_as_hugging_face(ours, oracle, texts, pairs)


def test_long_pairs_keep_hugging_face_order_of_length(tmp_path):
    texts, pairs = ["a b " * 300, "c " * 200], ["c " * 200, "a b " * 300]
    ours = text_oracle.preprocessor(sequence_length=8)
    oracle = text_oracle.hugging_face(tmp_path)
    text_oracle.assert_same_as_hugging_face(ours, oracle, texts, pairs)


def test_uer_single_text_has_no_last_separator():
    ours = text_oracle.preprocessor(sequence_length=4, template="uer")
    inputs, truncated = ours.encode(["a b", "a b c d", ""])
    cls, a, b, c = (ours.vocabulary.index(t) for t in ("[CLS]", *"abc"))
    expected = [[cls, a, b, 0], [cls, a, b, c], [cls, 0, 0, 0]]
    assert inputs["token_ids"].numpy().tolist() == expected
    assert truncated.numpy().tolist() == [False, True, False]


def test_uer_pairs_are_cut_at_the_end_of_the_row():
    ours = text_oracle.preprocessor(sequence_length=5, template="uer")
    inputs, truncated = ours.encode(["a", "a b c d", "a"], ["b", "a", "b c"])
    cls, sep, a, b, c, d = (
        ours.vocabulary.index(t) for t in ("[CLS]", "[SEP]", *"abcd")
    )
    assert inputs["token_ids"].numpy().tolist() == [
        [cls, a, sep, b, sep],
        [cls, a, b, c, d],
        [cls, a, sep, b, c],
    ]
    assert inputs["token_type_ids"].numpy().tolist() == [
        [0, 0, 0, 1, 1],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1],
    ]
    assert truncated.numpy().tolist() == [False, True, True]
