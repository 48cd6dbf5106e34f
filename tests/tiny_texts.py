"""A vocabulary of the tiny models' size, and texts in it."""

import pathlib

_WORDS = "a good bad dull fine very film plot one two three four five six"
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS += [*_WORDS.split(), "##s", "##ed", ".", "!"]
TEXTS = [
    "a very good film . one two three four",
    "dull",
    "",
    "fine films !",
    "bad plot , two plots",
    "one two three four five six",
    " ",
]
LABELS = ["one", "two", "three", "four", "fünf"]
PAIRS = ["good", "a bad film", "", "dull", "one two", "fine", "two"]


def write_vocabulary(path: pathlib.Path) -> None:
    """`TOKENS` as a `vocab.txt`."""
    path.write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
