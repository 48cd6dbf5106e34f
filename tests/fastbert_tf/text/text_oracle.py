"""What the text tests share: small vocabularies, odd strings, the oracle."""

import functools
import os
import pathlib
import random

import pytest
import transformers

from fastbert_tf.text.preprocessor import TextPreprocessor
from fastbert_tf.text.unicode_table import build_unicode_table
from fastbert_tf.text.vocabulary import SPECIAL_TOKENS, Vocabulary

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEXYZ0123456789éßıøñжשع"
WORDS = ("the", "film", "##ing", "un", "##ed", "##able", "naive", "caf")
MARKS = tuple("[](),.!?'\"-#$_@…，。！～「中文好电影한가ก")
SMALL_TOKENS = (
    *SPECIAL_TOKENS,
    "[MASK]",
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
    *WORDS,
    *MARKS,
    *(f"##{mark}" for mark in MARKS[-5:]),
    "SEP",
    "sep",
)
ODD_TEXTS = (
    "",
    " \t\r\n\u00a0\u3000\u2028\u2029",
    "\ufeffbyte order mark",
    "line\r\nfeed\rreturn",
    "nul\x00bell\x07delete\x7f\x85c1\x9f",
    "zero\u200bwidth\u200d\u2060joiners\u00adsoft",
    "\u202eright\u202c to left שלום مرحبا",
    "cafe\u0301 caf\u00e9 nai\u0308ve na\u00efve \u1e9b\u0323",
    "ﬁ Å \u212b K \u212a ſ İ ı ß ẞ Σας ὈΔΥΣΣΕΎΣ",
    "中文，电影。「好」～ﾊﾝｶｸ한글\u1112\u1161\u11ab",
    "emoji 😀👩\u200d👩\u200d👧🏽 flags 🇩🇪 \U0001f3f4\U000e0067",
    "private \ue000 unassigned \u0378 last \U0010fffd\U0010ffff",
    "replacement \ufffd character",
    "a" * 100 + " " + "b" * 101 + " " + "é" * 101,
    "don't stop-me now... #hash @user $5 50% a_b",
)


@functools.cache
def table(do_lower_case):
    """The table of code points, built once for all tests of a process."""
    return build_unicode_table(do_lower_case)


@functools.cache
def preprocessor(
    tokens=SMALL_TOKENS,
    do_lower_case=True,
    sequence_length=128,
    template="bert",
):
    return TextPreprocessor(
        Vocabulary(tokens), table(do_lower_case), sequence_length, template
    )


def hugging_face(folder, tokens=SMALL_TOKENS, do_lower_case=True):
    """The oracle: Hugging Face's fast tokenizer over the same vocabulary."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    Vocabulary(tokens).save(folder / "vocab.txt")
    return transformers.BertTokenizerFast.from_pretrained(
        str(folder), do_lower_case=do_lower_case
    )


def random_texts(seed, count):
    """Strings over the whole of Unicode, ASCII most often."""
    rng = random.Random(seed)
    ranges = [(32, 127)] * 8 + [(32, 33)] * 2 + [(0x4E00, 0xA000)] * 2
    ranges += [(0, 0x250), (0x250, 0x3100), (0xAC00, 0xFFFF), (0, 0x110000)]

    def character():
        point = rng.randrange(*rng.choice(ranges))
        return " " if 0xD800 <= point < 0xE000 else chr(point)

    sizes = [1, 3, 10, 40, 150]
    return [
        "".join(character() for _ in range(rng.choice(sizes)))
        for _ in range(count)
    ]


def shared_data(*parts):
    """A file of the real data sets; skips the test where they are absent."""
    root = pathlib.Path(__file__).parents[3]
    place = os.environ.get("FASTBERT_SHARED_DATA", "../shared/data")
    path = (root / place).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {path}; set FASTBERT_SHARED_DATA to the data sets")
    return path


def assert_same_as_hugging_face(ours, oracle, texts, pairs=None):
    """Equal ids, types, masks and truncation for every row."""
    args = (texts,) if pairs is None else (texts, pairs)
    expected = oracle(
        *args,
        truncation=True,
        max_length=ours.sequence_length,
        padding=True,
    )
    whole = oracle(*args)["input_ids"]
    inputs, truncated = ours.encode(*args)
    names = {
        "token_ids": "input_ids",
        "token_type_ids": "token_type_ids",
        "padding_mask": "attention_mask",
    }
    for name, theirs in names.items():
        rows = zip(inputs[name].numpy().tolist(), expected[theirs], strict=True)
        wrong = [place for place, (a, b) in enumerate(rows) if a != b]
        assert not wrong, (name, [texts[place] for place in wrong[:3]])
    cut = [len(row) > ours.sequence_length for row in whole]
    assert truncated.numpy().tolist() == cut
