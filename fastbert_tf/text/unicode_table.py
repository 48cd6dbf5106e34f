"""What BERT's basic tokenizer makes of every Unicode code point, as a table.

Hugging Face's normalizer and pre-tokenizer treat each code point on its own,
whatever stands beside it: it is dropped, kept, replaced, or set between
spaces. So one table entry a code point reproduces them in the graph, and
training, export and serving cut words alike.

The table is in two levels, because most pages of 256 code points look alike:

    code point -> page -> kind -> sequence of code points, `SELF` = unchanged
"""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import pathlib
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

FILE_NAME = "normalization.npz"
FORMAT_VERSION = 1
NUM_CODE_POINTS = 0x110000
_PAGE_BITS = 8
PAGE_SIZE = 1 << _PAGE_BITS
SELF = -1
_SURROGATES = range(0xD800, 0xE000)
# A letter without case, accents or compositions: it parts the code points
# while many of them are asked about in one call.
_SEPARATOR = 0x0E01
_BLOCK_SIZE = 4096
# What zipfile and NumPy raise for a file with wrong bytes somewhere.
_DAMAGE = (
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
_FIELDS = ("page_of", "kinds", "values", "row_splits")


@dataclasses.dataclass(frozen=True, eq=False)
class UnicodeTable:
    """Replacement of every code point, applied in the graph.

    Args:
        do_lower_case: bool. Whether letters are lower-cased and accents
            dropped.
        page_of: int32 `[4352]`, the distinct page of each 256 code points.
        kinds: int32 `[pages, 256]`, the sequence of each code point.
        values: int32, all sequences end to end.
        row_splits: int32 `[sequences + 1]`, where each sequence begins.
    """

    do_lower_case: bool
    page_of: np.ndarray
    kinds: np.ndarray
    values: np.ndarray
    row_splits: np.ndarray

    def __post_init__(self) -> None:
        _check_table(self)

    def normalize(self, texts: tf.Tensor) -> tf.Tensor:
        """Texts with words parted by spaces, for `tf.strings.split`.

        Invalid UTF-8 is read as Python's `bytes.decode(errors="replace")`
        does; the resulting U+FFFD is then dropped, as NUL and other control
        characters are. Hugging Face cannot receive such bytes.

        Args:
            texts: string `[B]`, UTF-8.

        Returns:
            string `[B]`, UTF-8.
        """
        points = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        flat = points.flat_values  # [characters]
        page = tf.gather(
            tf.constant(self.page_of), tf.bitwise.right_shift(flat, _PAGE_BITS)
        )
        kind = tf.gather(
            tf.constant(self.kinds.reshape(-1)),
            page * PAGE_SIZE + tf.bitwise.bitwise_and(flat, PAGE_SIZE - 1),
        )
        sequences = tf.RaggedTensor.from_row_splits(
            tf.constant(self.values),
            tf.constant(self.row_splits.astype(np.int64)),
            validate=False,
        )
        replaced = tf.gather(sequences, kind)  # [characters, (0..)]
        own = tf.repeat(flat, replaced.row_lengths())
        values = tf.where(replaced.values == SELF, own, replaced.values)
        rows = points.with_values(replaced.with_values(values))
        return tf.strings.unicode_encode(rows.merge_dims(1, 2), "UTF-8")

    def save(self, path: str | os.PathLike) -> None:
        """Writes a compressed `.npz` without Python objects."""
        np.savez_compressed(
            path,
            format_version=np.int32(FORMAT_VERSION),
            do_lower_case=np.bool_(self.do_lower_case),
            **{name: getattr(self, name) for name in _FIELDS},
        )


def load_unicode_table(path: str | os.PathLike) -> UnicodeTable:
    """Reads what `UnicodeTable.save` wrote; nothing in it is executed."""
    file = io.BytesIO(pathlib.Path(path).read_bytes())
    try:
        damaged = zipfile.ZipFile(file).testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
        file.seek(0)
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _DAMAGE as error:
        raise ValueError(
            f"{path}: received a damaged file ({error}), expected a "
            f"{FILE_NAME}. Copy the folder again."
        ) from error
    expected = {"format_version", "do_lower_case", *_FIELDS}
    if set(arrays) != expected:
        raise ValueError(
            f"{path}: received arrays {sorted(arrays)}, expected "
            f"{sorted(expected)}. Delete the file to have it built again."
        )
    version = int(arrays.pop("format_version"))
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path}: received format version {version}, expected "
            f"{FORMAT_VERSION}. Delete the file to have it built again."
        )
    do_lower_case = bool(arrays.pop("do_lower_case"))
    return UnicodeTable(do_lower_case, **arrays)


@functools.lru_cache(maxsize=2)
def build_unicode_table(do_lower_case: bool) -> UnicodeTable:
    """Asks Hugging Face's `tokenizers` about every code point, once a process.

    That takes some seconds; the table of a saved model is read instead.
    """
    kinds = np.zeros(NUM_CODE_POINTS, np.int32)
    sequences = {(): 0}  # kind 0 drops the code point
    for points, entries in _ask_tokenizers(do_lower_case):
        if entries is None:
            kinds[points] = sequences.setdefault((SELF,), len(sequences))
            continue
        for point, entry in zip(points, entries, strict=True):
            values = tuple(SELF if ord(c) == point else ord(c) for c in entry)
            kinds[point] = sequences.setdefault(values, len(sequences))
    pages, page_of = np.unique(
        kinds.reshape(-1, PAGE_SIZE), axis=0, return_inverse=True
    )
    lengths = [len(values) for values in sequences]
    table = UnicodeTable(
        do_lower_case=do_lower_case,
        page_of=page_of.reshape(-1).astype(np.int32),
        kinds=pages,
        values=np.array([v for s in sequences for v in s], np.int32),
        row_splits=np.cumsum([0, *lengths], dtype=np.int32),
    )
    for name in _FIELDS:
        getattr(table, name).setflags(write=False)
    return table


def _ask_tokenizers(
    do_lower_case: bool,
) -> Iterator[tuple[list[int], list[str] | None]]:
    """Yields code points with their words, each joined by spaces.

    The words are None for points that all stay what they are, as nine blocks
    of ten do.
    """
    from tokenizers import normalizers, pre_tokenizers

    normalizer = normalizers.BertNormalizer(lowercase=do_lower_case)
    pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    separator = chr(_SEPARATOR)
    yield [_SEPARATOR], [separator]
    for start in range(0, NUM_CODE_POINTS, _BLOCK_SIZE):
        points = [
            point
            for point in range(start, start + _BLOCK_SIZE)
            if point not in _SURROGATES and point != _SEPARATOR
        ]
        text = separator + separator.join(map(chr, points)) + separator
        pieces = pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))
        joined = " ".join(piece for piece, _ in pieces)
        if joined == text:
            yield points, None
        else:
            yield points, joined.split(separator)[1:-1]


def _check_table(table: UnicodeTable) -> None:
    """Every index that the graph follows stays inside its array."""
    page_of, kinds = table.page_of, table.kinds
    values, splits = table.values, table.row_splits
    whole = (
        all(getattr(table, name).dtype == np.int32 for name in _FIELDS)
        and page_of.shape == (NUM_CODE_POINTS // PAGE_SIZE,)
        and kinds.ndim == 2
        and kinds.shape[1] == PAGE_SIZE
        and values.ndim == splits.ndim == 1
        and _inside(page_of, 0, len(kinds))
        and _inside(kinds, 0, len(splits) - 1)
        and _inside(values, SELF, NUM_CODE_POINTS)
        and splits[0] == 0
        and splits[-1] == len(values)
        and bool(np.all(np.diff(splits) >= 0))
    )
    if not whole:
        raise ValueError(
            "Received a normalization table whose arrays do not fit each "
            f"other, expected {NUM_CODE_POINTS} code points in pages of "
            f"{PAGE_SIZE}. Delete {FILE_NAME} to have it built again."
        )


def _inside(array: np.ndarray, low: int, high: int) -> bool:
    return bool(np.all((array >= low) & (array < high)))
