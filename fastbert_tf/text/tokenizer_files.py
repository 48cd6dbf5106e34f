"""Which file of a checkpoint's folder holds its vocabulary."""

from __future__ import annotations

import pathlib

from .tokenizer_json import read_tokenizer_json
from .vocabulary import Vocabulary, read_vocabulary

VOCABULARY_FILE = "vocab.txt"
TOKENIZER_JSON_FILE = "tokenizer.json"


def read_tokenizer_files(
    path: pathlib.Path,
) -> tuple[Vocabulary, bool | None]:
    """The vocabulary, and whether a `tokenizer.json` says to lower-case.

    Args:
        path: a folder with a `vocab.txt`, a `tokenizer.json` or both; or
            such a file, which is then the only one that is read.

    Returns:
        `Vocabulary`, and a bool, None where no `tokenizer.json` is read.

    Raises:
        FileNotFoundError: if there is neither file.
        ValueError: if a file is refused, or both are there and differ.
    """
    if not path.is_dir():
        if path.suffix == ".json":
            return read_tokenizer_json(path)
        return read_vocabulary(path), None
    text, json = path / VOCABULARY_FILE, path / TOKENIZER_JSON_FILE
    if not json.is_file():
        _check_any(path, text)
        return read_vocabulary(text), None
    vocabulary, do_lower_case = read_tokenizer_json(json)
    if text.is_file():
        _check_same(read_vocabulary(text), vocabulary)
    return vocabulary, do_lower_case


def _check_any(folder: pathlib.Path, text: pathlib.Path) -> None:
    if not text.is_file():
        raise FileNotFoundError(
            f"No vocabulary in {folder}. Expected: {VOCABULARY_FILE} (one "
            f"token a line) or {TOKENIZER_JSON_FILE} (what `save_pretrained` "
            "of a transformers tokenizer writes). Copy the one that came "
            "with the weights there."
        )


def _check_same(text: Vocabulary, json: Vocabulary) -> None:
    if text.tokens == json.tokens:
        return
    places = range(min(text.size, json.size))
    number = next(
        (n for n in places if text.tokens[n] != json.tokens[n]), len(places)
    )
    raise ValueError(
        f"{text.source} ({text.size} tokens) and {json.source} ({json.size} "
        f"tokens) differ from id {number} on; expected the same tokens in "
        "both. Keep the file that came with the weights."
    )
