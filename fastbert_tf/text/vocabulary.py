"""The vocabulary file: one token a line, the line's place is the id."""

from __future__ import annotations

import codecs
import dataclasses
import os
import pathlib

PAD, UNKNOWN, CLS, SEP = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
SPECIAL_TOKENS = (PAD, UNKNOWN, CLS, SEP)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Tokens in the order of their ids, checked once when they are read.

    Args:
        tokens: tuple of str. Token `tokens[i]` has the id `i`.
        source: str. Where the tokens came from; used in messages only.
        place: "line" or "id". How messages count tokens: as lines of a text
            file, from 1, or by their ids.
    """

    tokens: tuple[str, ...]
    source: str = "vocabulary"
    place: str = "line"

    def __post_init__(self) -> None:
        _check_tokens(self)

    @property
    def size(self) -> int:
        return len(self.tokens)

    def id_of(self, token: str) -> int:
        """The id of a token that is known to be present."""
        return self.tokens.index(token)

    def check_size(self, expected: int, owner: str) -> None:
        """Refuses a vocabulary made for another embedding table."""
        if self.size != expected:
            raise ValueError(
                f"{self.source}: received {self.size} tokens, expected "
                f"{expected} ({owner}). Pass the vocabulary file that came "
                "with these weights."
            )

    def save(self, path: str | os.PathLike) -> None:
        """Writes one token a line, UTF-8, lines ended by a line feed."""
        text = "".join(f"{token}\n" for token in self.tokens)
        pathlib.Path(path).write_bytes(text.encode("utf-8"))


def read_vocabulary(
    path: str | os.PathLike, expected_size: int | None = None
) -> Vocabulary:
    """Reads and checks a `vocab.txt`.

    Lines end with a line feed and nothing else: other Unicode line
    separators may be part of a token.

    Args:
        path: path of the file.
        expected_size: int, optional. Number of rows of the embedding table
            that the ids will index.

    Returns:
        A `Vocabulary`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is empty, is not UTF-8, starts with a byte
            order mark, has carriage returns, doubled or blank lines, lacks a
            special token, or has another size than expected.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"No vocabulary at {path}. Expected a text file with one token "
            "a line. Copy the vocab.txt that came with the weights there."
        )
    data = pathlib.Path(path).read_bytes()
    _check_bytes(data, str(path))
    lines = data.removesuffix(b"\n").split(b"\n")
    tokens = tuple(
        _decode_line(line, number, str(path))
        for number, line in enumerate(lines, start=1)
    )
    vocabulary = Vocabulary(tokens, str(path))
    if expected_size is not None:
        vocabulary.check_size(expected_size, "the embedding's vocab_size")
    return vocabulary


def _check_bytes(data: bytes, source: str) -> None:
    if not data.strip():
        raise ValueError(
            f"{source}: received an empty vocabulary, expected one token a "
            "line. Copy the file again."
        )
    if data.startswith(codecs.BOM_UTF8):
        raise ValueError(
            f"{source}, line 1: received a byte order mark, expected a "
            "token. Save the file as UTF-8 without a byte order mark."
        )
    if b"\r" in data:
        number = data[: data.index(b"\r")].count(b"\n") + 1
        raise ValueError(
            f"{source}, line {number}: received a carriage return, expected "
            "lines that end with a line feed only. Convert the file with "
            "`tr -d '\\r'`."
        )


def _decode_line(line: bytes, number: int, source: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{source}, line {number}: received bytes that are not UTF-8 "
            f"({error.reason} at byte {error.start}), expected a token in "
            "UTF-8. Copy the file again."
        ) from error


def _check_tokens(vocabulary: Vocabulary) -> None:
    source, place = vocabulary.source, vocabulary.place
    blank = "a blank line" if place == "line" else "an empty token"
    first = {}
    numbers = enumerate(vocabulary.tokens, start=int(place == "line"))
    for number, token in numbers:
        if not token:
            raise ValueError(
                f"{source}, {place} {number}: received {blank}, expected "
                "a token. Copy the file again: removing it would shift "
                "every id after it."
            )
        if token in first:
            raise ValueError(
                f"{source}, {place} {number}: received the token {token!r} "
                f"again, first seen in {place} {first[token]}; expected "
                "each token once. Copy the file again."
            )
        first[token] = number
    missing = [token for token in SPECIAL_TOKENS if token not in first]
    if missing:
        raise ValueError(
            f"{source}: received {vocabulary.size} tokens without {missing}, "
            f"expected {list(SPECIAL_TOKENS)} among them. Pass the "
            "vocabulary of a BERT checkpoint."
        )
