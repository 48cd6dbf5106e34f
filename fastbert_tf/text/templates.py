"""How tokens of one or two texts become one row: special ids, truncation.

| template | one text         | two texts                    | cut           |
|----------|------------------|------------------------------|---------------|
| `bert`   | [CLS] a [SEP]    | [CLS] a [SEP] b [SEP]        | longest first |
| `uer`    | [CLS] a          | [CLS] a [SEP] b [SEP]        | at the end    |

`uer` is what the official FastBERT code and its weights were made with.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

TEMPLATES = ("bert", "uer")


class SpecialIds(NamedTuple):
    """Ids of the special tokens in one vocabulary."""

    pad: int
    cls: int
    sep: int


class PackedRows(NamedTuple):
    """Padded rows.

    `token_ids`, `token_type_ids` and `padding_mask` are int32 `[B, S]`, `S`
    being the longest row, or 1 without rows; `truncated` is bool `[B]`, true
    where tokens were cut.
    """

    token_ids: tf.Tensor
    token_type_ids: tf.Tensor
    padding_mask: tf.Tensor
    truncated: tf.Tensor


def pack_single(
    tokens: tf.RaggedTensor, template: str, length: int, ids: SpecialIds
) -> PackedRows:
    """Packs one text a row into at most `length` positions.

    Args:
        tokens: ragged int32 `[B, (T)]`.
        template: one of `TEMPLATES`.
        length: int, the longest row allowed.
        ids: the special ids.
    """
    num_special = 2 if template == "bert" else 1
    counts = tokens.row_lengths()[:, None]  # [B, 1]
    kept = tf.minimum(counts, length - num_special)
    used = kept + num_special
    places = _places(used)  # [S]
    is_text = (places >= 1) & (places <= kept)
    source = tokens.row_starts()[:, None] + places - 1
    rows = _take(tokens.values, source, is_text, ids.pad)
    rows = tf.where(places == 0, ids.cls, rows)
    if template == "bert":
        rows = tf.where(places == kept + 1, ids.sep, rows)
    return PackedRows(
        token_ids=rows,
        token_type_ids=tf.zeros_like(rows),
        padding_mask=tf.cast(places < used, tf.int32),
        truncated=tf.squeeze(counts > kept, 1),
    )


def pack_pair(
    tokens: tf.RaggedTensor, template: str, length: int, ids: SpecialIds
) -> PackedRows:
    """Packs two texts a row; other arguments as in `pack_single`.

    Args:
        tokens: ragged int32 `[2 * B, (T)]`, all first texts, then all second
            texts.
    """
    first, second = tf.split(tokens.row_lengths()[:, None], 2)  # [B, 1]
    truncated = first + second > length - 3
    if template == "bert":
        first, second = longest_first(first, second, length - 3)
    used = tf.minimum(first + second + 3, length)
    places = _places(used)  # [S]
    in_first = (places >= 1) & (places <= first)
    after = places - first - 2  # place within the second text
    in_second = (after >= 0) & (after < second)
    starts = tf.split(tokens.row_starts()[:, None], 2)
    source = tf.where(in_first, starts[0] + places - 1, starts[1] + after)
    rows = _take(tokens.values, source, in_first | in_second, ids.pad)
    rows = tf.where(places == 0, ids.cls, rows)
    rows = tf.where((after == -1) | (after == second), ids.sep, rows)
    is_used = places < used
    return PackedRows(
        token_ids=rows,
        token_type_ids=tf.cast(is_used & (after >= 0), tf.int32),
        padding_mask=tf.cast(is_used, tf.int32),
        truncated=tf.squeeze(truncated, 1),
    )


def longest_first(
    first: tf.Tensor, second: tf.Tensor, room: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """How many tokens of each text stay, as Hugging Face's `longest_first`.

    The longer text gives way until both are equal; then they share the room,
    and an odd place goes to the longer one (the second one in a draw).

    Args:
        first: int64 of any shape, tokens of the first texts.
        second: int64 of the same shape, tokens of the second texts.
        room: int, tokens allowed together.

    Returns:
        Two int64 of the same shape.
    """
    short, long = tf.minimum(first, second), tf.maximum(first, second)
    share = tf.constant(room // 2, tf.int64)
    both_cut = short > share
    keep_short = tf.where(both_cut, share, short)
    keep_long = tf.minimum(long, room - keep_short)
    swapped = first > second
    return (
        tf.where(swapped, keep_long, keep_short),
        tf.where(swapped, keep_short, keep_long),
    )


def _places(used: tf.Tensor) -> tf.Tensor:
    return tf.range(tf.maximum(tf.reduce_max(used), 1))


def _take(
    values: tf.Tensor, source: tf.Tensor, is_text: tf.Tensor, pad_id: int
) -> tf.Tensor:
    """`values[source]` where `is_text`, `pad_id` elsewhere."""
    padded = tf.concat([values, [pad_id]], axis=0)
    last = tf.size(values, out_type=tf.int64)
    return tf.gather(padded, tf.where(is_text, source, last))
