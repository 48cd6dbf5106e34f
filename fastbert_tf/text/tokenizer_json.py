"""The vocabulary and casing in a `tokenizer.json`, as transformers saves it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ..files.checked_read import parse_json, read_text
from .vocabulary import CLS, SEP, SPECIAL_TOKENS, UNKNOWN, Vocabulary

MAX_BYTES = 64 * 2**20  # Ten times the largest vocabulary of a BERT.
_ADDED_TOKENS = (*SPECIAL_TOKENS, "[MASK]")
_MODEL = {
    "type": "WordPiece",
    "unk_token": UNKNOWN,
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}
_NORMALIZER = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
}
_PRE_TOKENIZER = {"type": "BertPreTokenizer"}


class TokenizerJson(NamedTuple):
    """What a `tokenizer.json` says: its tokens, and whether it lower-cases."""

    vocabulary: Vocabulary
    do_lower_case: bool


def read_tokenizer_json(path: str | os.PathLike[str]) -> TokenizerJson:
    """Reads a `tokenizer.json` and checks that it is BERT's tokenizer.

    `truncation`, `padding` and the decoder are not looked at: none of them
    decides which tokens a text has.

    Args:
        path: path of the file, of at most 64 MiB.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is too large, is not valid JSON, names a key
            twice, has ids with gaps or given twice, or describes another
            tokenizer than BERT's; the message names the file.
    """
    fields = _Fields(_read(path), str(path))
    model = fields.part("model")
    model.check(_MODEL)
    vocabulary = _vocabulary(model.part("vocab"))
    fields.part("pre_tokenizer").check(_PRE_TOKENIZER)
    _check_added_tokens(fields, vocabulary)
    _check_processor(fields.part("post_processor"), vocabulary)
    return TokenizerJson(vocabulary, _casing(fields.part("normalizer")))


class _Fields:
    """A JSON object inside the file, and the name it has in messages."""

    def __init__(
        self, values: dict[str, Any], source: str, name: str = ""
    ) -> None:
        self.values = values
        self.source = source
        self.name = name

    def part(self, key: str) -> _Fields:
        """The object under `key`."""
        value = self.values.get(key)
        if not isinstance(value, dict):
            raise self.refusal(key, "an object")
        return _Fields(value, self.source, f"{self.name}{key}.")

    def check(self, expected: dict[str, Any]) -> None:
        """Refuses another value, or the same value of another type."""
        for key, value in expected.items():
            received = self.values.get(key)
            if type(received) is not type(value) or received != value:
                raise self.refusal(key, repr(value))

    def refusal(self, key: str, expected: str) -> ValueError:
        received = "nothing"
        if key in self.values:
            received = _shortened(self.values[key])
        return ValueError(
            f"{self.source}: received {received} as `{self.name}{key}`, "
            f"expected {expected}. Only BERT's own tokenizer is supported; "
            "pass the folder of a BERT, or fetch the file again."
        )


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    if os.path.isfile(path) and os.path.getsize(path) > MAX_BYTES:
        raise ValueError(
            f"{path}: received {os.path.getsize(path)} bytes, expected at "
            f"most {MAX_BYTES}. Pass the tokenizer.json of a BERT."
        )
    return parse_json(read_text(str(path)), str(path), _refuse_doubled_keys)


def _refuse_doubled_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError(f"the key {_shortened(name)} is there twice")
        fields[name] = value
    return fields


def _vocabulary(vocab: _Fields) -> Vocabulary:
    """The tokens by their ids, which count from 0 without a gap."""
    by_id = {}
    for token, number in vocab.values.items():
        if type(number) is not int or not 0 <= number < len(vocab.values):
            raise vocab.refusal(
                token, f"an id from 0 to {len(vocab.values) - 1}, without gaps"
            )
        if number in by_id:
            raise vocab.refusal(
                token, f"an id of its own, not that of {by_id[number]!r}"
            )
        if not _is_one_line(token, number):
            raise ValueError(
                f"{vocab.source}, id {number}: received the token "
                f"{_shortened(token)}, expected Unicode text without line "
                "ends. Fetch the file again."
            )
        by_id[number] = token
    tokens = tuple(by_id[number] for number in range(len(by_id)))
    return Vocabulary(tokens, vocab.source, "id")


def _is_one_line(token: str, number: int) -> bool:
    """Whether a `vocab.txt` can hold the token as its line `number`."""
    if number == 0 and token.startswith("\ufeff"):  # A byte order mark there.
        return False
    surrogates = any("\ud800" <= letter <= "\udfff" for letter in token)
    return not surrogates and "\r" not in token and "\n" not in token


def _casing(normalizer: _Fields) -> bool:
    normalizer.check(_NORMALIZER)
    lower = normalizer.values.get("lowercase")
    if not isinstance(lower, bool):
        raise normalizer.refusal("lowercase", "true or false")
    strip = normalizer.values.get("strip_accents")
    if strip is not None and strip is not lower:
        raise normalizer.refusal("strip_accents", f"{lower} as `lowercase`")
    return lower


def _check_added_tokens(fields: _Fields, vocabulary: Vocabulary) -> None:
    """Other added tokens would be found in texts before words are split."""
    added = fields.values.get("added_tokens")
    if not isinstance(added, list):
        raise fields.refusal("added_tokens", "a list")
    for place, values in enumerate(added):
        name = f"added_tokens[{place}]"
        token = _Fields({name: values}, fields.source).part(name)
        content = token.values.get("content")
        if not isinstance(content, str) or content not in _ADDED_TOKENS:
            raise token.refusal("content", f"one of {_ADDED_TOKENS}")
        if content not in vocabulary.tokens:
            raise token.refusal("content", "a token of `model.vocab`")
        token.check({"id": vocabulary.id_of(content)})


def _check_processor(processor: _Fields, vocabulary: Vocabulary) -> None:
    """[CLS] A [SEP] and [CLS] A [SEP] B [SEP], with the vocabulary's ids."""
    ids = {token: vocabulary.id_of(token) for token in (CLS, SEP)}
    if processor.values.get("type") == "BertProcessing":
        processor.check({"cls": [CLS, ids[CLS]], "sep": [SEP, ids[SEP]]})
        return
    processor.check({"type": "TemplateProcessing"})
    single = [_special(CLS, 0), _sequence("A", 0), _special(SEP, 0)]
    pair = [*single, _sequence("B", 1), _special(SEP, 1)]
    processor.check({"single": single, "pair": pair})
    special = processor.part("special_tokens")
    for token, number in ids.items():
        special.part(token).check({"ids": [number]})


def _special(token: str, type_id: int) -> dict[str, Any]:
    return {"SpecialToken": {"id": token, "type_id": type_id}}


def _sequence(name: str, type_id: int) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": type_id}}


def _shortened(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
