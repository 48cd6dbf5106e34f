"""Settings of the preprocessor: defaults, checks, where a folder keeps them."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from .templates import TEMPLATES
from .vocabulary import Vocabulary

SAVED_MODEL_FILE = "fastbert.json"
TOKENIZER_FILE = "tokenizer_config.json"
CONFIG_FILES = ("config.json", "bert_config.json")
DEFAULTS = {
    "sequence_length": 128,
    "template": "bert",
    "do_lower_case": True,  # BERT's own default
}
MIN_SEQUENCE_LENGTH = 3  # [CLS] [SEP] [SEP]


def find_settings(
    folder: pathlib.Path,
    vocabulary: Vocabulary,
    do_lower_case: bool | None = None,
) -> dict:
    """Settings that a checkpoint folder asks for, completed by `DEFAULTS`.

    Args:
        folder: the folder with the vocabulary.
        vocabulary: compared with the `vocab_size` of the folder's model.
        do_lower_case: bool, what a `tokenizer.json` says; None without one.

    Returns:
        dict with the keys of `DEFAULTS`.
    """
    for name in CONFIG_FILES:
        size = _read_object(folder / name).get("vocab_size")
        if size is not None:
            vocabulary.check_size(size, f"vocab_size in {folder / name}")
    saved = _read_object(folder / SAVED_MODEL_FILE).get("preprocessing")
    if saved is None:
        tokenizer = _read_object(folder / TOKENIZER_FILE)
        return DEFAULTS | _tokenizer_settings(
            tokenizer, folder / TOKENIZER_FILE, do_lower_case
        )
    if set(saved) != set(DEFAULTS):
        raise ValueError(
            f"{folder / SAVED_MODEL_FILE}: `preprocessing` must have the "
            f"keys {sorted(DEFAULTS)}. Received: {sorted(saved)}. Save the "
            "model again with this version."
        )
    return dict(saved)


def check_settings(
    sequence_length: Any, template: Any, do_lower_case: Any
) -> None:
    """Refuses settings that no preprocessor can have."""
    if (
        isinstance(sequence_length, bool)
        or not isinstance(sequence_length, int)
        or sequence_length < MIN_SEQUENCE_LENGTH
    ):
        raise ValueError(
            "`sequence_length` must be an integer of at least "
            f"{MIN_SEQUENCE_LENGTH}. Received: "
            f"sequence_length={sequence_length!r}. Pass the longest row, "
            "special tokens included, for example 128."
        )
    if template not in TEMPLATES:
        raise ValueError(
            f"`template` must be one of {TEMPLATES}. Received: "
            f'template={template!r}. Pass "bert" unless the weights come '
            "from the official FastBERT code."
        )
    if not isinstance(do_lower_case, bool):
        raise TypeError(
            "`do_lower_case` must be True or False. Received: "
            f"do_lower_case={do_lower_case!r}. Pass what the weights were "
            "trained with."
        )


def _tokenizer_settings(
    tokenizer: dict, path: pathlib.Path, expected: bool | None
) -> dict:
    """`do_lower_case`, once the rest is known to be BERT's behaviour."""
    lower = tokenizer.get("do_lower_case")
    if lower is None:
        lower = DEFAULTS["do_lower_case"] if expected is None else expected
    elif expected is not None and lower is not expected:
        raise ValueError(
            f"{path}: received do_lower_case={lower}, expected {expected} as "
            "`lowercase` in tokenizer.json beside it. Make both files say "
            "what the weights were trained with."
        )
    usual = {"strip_accents": lower, "tokenize_chinese_chars": True}
    for key, value in usual.items():
        if tokenizer.get(key) not in (None, value):
            raise ValueError(
                f"{path}: `{key}` must be {value} or absent. Received: "
                f"{key}={tokenizer[key]}. This tokenizer is not supported."
            )
    return {"do_lower_case": lower}


def _read_object(path: pathlib.Path) -> dict:
    """A JSON object, empty where there is no such file."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: received text that is not a JSON object ({error}), "
            "expected an object. Copy the file again."
        ) from error
