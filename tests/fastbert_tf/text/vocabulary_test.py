"""Tests of reading and refusing vocabulary files."""

import pytest

from fastbert_tf.text.vocabulary import Vocabulary, read_vocabulary

GOOD = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##b\n"


@pytest.fixture
def file(tmp_path):
    def write(data):
        path = tmp_path / "vocab.txt"
        path.write_bytes(data)
        return path

    return write


def test_line_numbers_are_ids(file):
    vocabulary = read_vocabulary(file(GOOD), expected_size=6)
    assert vocabulary.tokens[4:] == ("a", "##b")
    assert vocabulary.id_of("[SEP]") == 3


def test_last_line_feed_is_optional(file):
    assert read_vocabulary(file(GOOD.rstrip())).size == 6


def test_other_line_separators_are_part_of_a_token(file):
    data = GOOD + "\u2028\n\u0085x\n".encode()
    assert read_vocabulary(file(data)).tokens[-2:] == ("\u2028", "\u0085x")


def test_saved_file_is_the_file_read(file, tmp_path):
    read_vocabulary(file(GOOD)).save(tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_bytes() == GOOD


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty vocabulary"),
        (b"\n", "empty vocabulary"),
        (b"\xef\xbb\xbf" + GOOD, "line 1.*byte order mark"),
        (GOOD.replace(b"\n", b"\r\n"), r"line 1.*carriage return.*tr -d"),
        (GOOD + b"a\n", "line 7.*'a' again.*line 5"),
        (GOOD + b"\nc\n", "line 7.*blank line"),
        (GOOD + b"\xff\n", "line 7.*not UTF-8"),
        (GOOD.replace(b"[SEP]", b"x"), r"without \['\[SEP\]'\]"),
        (b"<s>\n<pad>\n", r"\[PAD\].*\[UNK\].*\[CLS\].*\[SEP\]"),
    ],
)
def test_damaged_file_is_refused_with_name_and_line(file, data, message):
    with pytest.raises(ValueError, match=f"vocab.txt.*{message}"):
        read_vocabulary(file(data))


def test_other_size_than_the_embedding_is_refused(file):
    with pytest.raises(ValueError, match="received 6 tokens, expected 7"):
        read_vocabulary(file(GOOD), expected_size=7)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="No vocabulary at"):
        read_vocabulary(tmp_path / "vocab.txt")


def test_tokens_given_in_python_are_checked_too():
    with pytest.raises(ValueError, match="again"):
        Vocabulary(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[PAD]"))
