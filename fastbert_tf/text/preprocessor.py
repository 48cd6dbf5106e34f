"""Texts to token ids, in the graph, with the ids Hugging Face gives."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
import tensorflow_text

from ..checkpoints import MANIFEST_FILE, fetch, read_manifest
from . import templates, unicode_table
from .settings import DEFAULTS, check_settings, find_settings
from .texts import Texts, as_texts
from .tokenizer_files import VOCABULARY_FILE, read_tokenizer_files
from .vocabulary import CLS, PAD, SEP, UNKNOWN, Vocabulary

_FILES = (VOCABULARY_FILE, unicode_table.FILE_NAME)
# Hugging Face's limit; a longer word becomes [UNK] without a look inside.
MAX_CHARACTERS_PER_WORD = 100
_MAX_BYTES_PER_WORD = 4 * MAX_CHARACTERS_PER_WORD

Inputs = dict[str, tf.Tensor]


class Encoded(NamedTuple):
    """Model inputs, and bool `[B]`: whether tokens of the row were cut."""

    inputs: Inputs
    truncated: tf.Tensor


class TextPreprocessor(tf.Module):
    """Turns texts or pairs of texts into the model's inputs.

    The whole way from strings to ids is one graph function, so the same
    preprocessor runs eagerly, inside `tf.data` and inside a SavedModel. Ids
    are those of Hugging Face's BERT tokenizer, with three exceptions:

    - a literal "[SEP]", "[CLS]" or "[MASK]" in a text is read as text and
      never becomes a special id;
    - bytes that are not UTF-8 (and lone surrogates in a Python string) are
      read as U+FFFD, which the tokenizer drops; Hugging Face refuses them;
    - two combining marks in a row that lower-casing keeps and canonical
      ordering would swap (Hangul tone, Balinese and musical marks) stay in
      the order given.

    Args:
        vocabulary: `Vocabulary`.
        table: `UnicodeTable`; it decides about lower-casing.
        sequence_length: int. No row becomes longer.
        template: "bert" or "uer", see `templates`.

    Call arguments:
        texts: list of str or bytes, or string tensor `[B]`.
        pairs: the same, the second text of each row; optional.

    Returns:
        dict of int32 `[B, S]`: `token_ids`, `token_type_ids` (0 for the first
        text and for padding, 1 for the second) and `padding_mask` (1 = real
        token). `S` is the longest row of this batch, and 1 when `B` is 0.

    Example:

    ```python
    preprocessor = TextPreprocessor.from_pretrained("bert-base-uncased/")
    inputs = preprocessor(["a fine film", "dull"])
    ```
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        table: unicode_table.UnicodeTable,
        sequence_length: int = DEFAULTS["sequence_length"],
        template: str = DEFAULTS["template"],
    ) -> None:
        super().__init__(name="text_preprocessor")
        check_settings(
            sequence_length=sequence_length,
            template=template,
            do_lower_case=table.do_lower_case,
        )
        self._vocabulary = vocabulary
        self._table = table
        self._sequence_length = int(sequence_length)
        self._template = template
        self._ids = templates.SpecialIds(
            pad=vocabulary.id_of(PAD),
            cls=vocabulary.id_of(CLS),
            sep=vocabulary.id_of(SEP),
        )
        self._wordpiece = tensorflow_text.FastWordpieceTokenizer(
            list(vocabulary.tokens),
            token_out_type=tf.int32,
            max_bytes_per_word=_MAX_BYTES_PER_WORD,
            no_pretokenization=True,
        )
        spec = tf.TensorSpec([None], tf.string)
        self._encode_single = tf.function(
            self._single, input_signature=[spec], autograph=False
        )
        self._encode_pair = tf.function(
            self._pair, input_signature=[spec, spec], autograph=False
        )

    @classmethod
    def from_pretrained(
        cls,
        folder: str | os.PathLike,
        sequence_length: int | None = None,
        template: str | None = None,
        do_lower_case: bool | None = None,
    ) -> TextPreprocessor:
        """Makes the preprocessor that belongs to a checkpoint.

        What is not given is taken from the folder's `fastbert.json`, then
        from its `tokenizer.json` and `tokenizer_config.json`, then from
        `DEFAULTS`. The table of code points is read from the folder where it
        is present and built otherwise, which takes some seconds.

        Args:
            folder: a checkpoint folder with a `vocab.txt` or a
                `tokenizer.json`, the path of such a file, or a name on the
                Hugging Face hub.
            sequence_length: int, optional.
            template: "bert" or "uer", optional.
            do_lower_case: bool, optional.

        Raises:
            FileNotFoundError: if there is no vocabulary.
            ValueError: if a file or a setting is refused.
        """
        path = pathlib.Path(fetch(folder))
        if path.is_dir():
            folder = path
            if (path / MANIFEST_FILE).exists():
                read_manifest(str(path)).check_files(str(path), _FILES)
                path = path / VOCABULARY_FILE  # The one that was checked.
        else:
            folder = path.parent
        tokens, lower = read_tokenizer_files(path)
        settings = find_settings(folder, tokens, lower)
        given = {
            "sequence_length": sequence_length,
            "template": template,
            "do_lower_case": do_lower_case,
        }
        settings |= {k: v for k, v in given.items() if v is not None}
        check_settings(**settings)
        table = _find_table(folder, settings.pop("do_lower_case"))
        return cls(tokens, table, **settings)

    def __call__(self, texts: Texts, pairs: Texts | None = None) -> Inputs:
        return self.encode(texts, pairs).inputs

    def encode(self, texts: Texts, pairs: Texts | None = None) -> Encoded:
        """The inputs, and which rows were truncated (bool `[B]`)."""
        texts = as_texts(texts, "texts")
        if pairs is None:
            return Encoded(*self._encode_single(texts))
        pairs = as_texts(pairs, "pairs")
        if not texts.shape.is_compatible_with(pairs.shape):
            raise ValueError(
                "`texts` and `pairs` must have the same number of rows. "
                f"Received: {texts.shape[0]} texts and {pairs.shape[0]} "
                "pairs. Pass one second text for every first text."
            )
        return Encoded(*self._encode_pair(texts, pairs))

    @property
    def sequence_length(self) -> int:
        return self._sequence_length

    @property
    def template(self) -> str:
        return self._template

    @property
    def do_lower_case(self) -> bool:
        return self._table.do_lower_case

    @property
    def vocabulary(self) -> tuple[str, ...]:
        return self._vocabulary.tokens

    @property
    def vocab_size(self) -> int:
        return self._vocabulary.size

    @property
    def pad_id(self) -> int:
        return self._ids.pad

    def config(self) -> dict[str, int | str | bool]:
        """What `from_pretrained` finds in `fastbert.json`."""
        return {
            "sequence_length": self.sequence_length,
            "template": self.template,
            "do_lower_case": self.do_lower_case,
        }

    def save(self, folder: str | os.PathLike) -> list[str]:
        """Writes vocabulary and table into `folder`; returns the names."""
        folder = pathlib.Path(folder)
        self._vocabulary.save(folder / VOCABULARY_FILE)
        self._table.save(folder / unicode_table.FILE_NAME)
        return [VOCABULARY_FILE, unicode_table.FILE_NAME]

    def _single(self, texts: tf.Tensor) -> Encoded:
        tokens = self._tokens(texts)
        return self._encoded(templates.pack_single, tokens)

    def _pair(self, texts: tf.Tensor, pairs: tf.Tensor) -> Encoded:
        same = tf.debugging.assert_equal(
            tf.size(texts),
            tf.size(pairs),
            "`texts` and `pairs` must have the same number of rows.",
        )
        with tf.control_dependencies([same]):
            tokens = self._tokens(tf.concat([texts, pairs], axis=0))
        return self._encoded(templates.pack_pair, tokens)

    def _tokens(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Ragged int32 `[B, (T)]`, whatever the length."""
        words = tf.strings.split(self._table.normalize(texts))  # [B, (W)]
        lengths = tf.strings.length(words.values, unit="UTF8_CHAR")
        known = tf.where(
            lengths > MAX_CHARACTERS_PER_WORD, UNKNOWN, words.values
        )
        pieces = self._wordpiece.tokenize(words.with_values(known))
        return pieces.merge_dims(1, 2)

    def _encoded(
        self, pack: Callable[..., templates.PackedRows], tokens: tf.RaggedTensor
    ) -> Encoded:
        rows = pack(tokens, self._template, self._sequence_length, self._ids)
        inputs = rows._asdict()
        return Encoded(inputs, inputs.pop("truncated"))


def _find_table(
    folder: pathlib.Path, do_lower_case: bool
) -> unicode_table.UnicodeTable:
    """The folder's table if it has one for this casing, else a new one."""
    path = folder / unicode_table.FILE_NAME
    if path.is_file():
        table = unicode_table.load_unicode_table(path)
        if table.do_lower_case == do_lower_case:
            return table
    return unicode_table.build_unicode_table(do_lower_case)
