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
    """Rows before padding.

    `token_ids` and `token_type_ids` are ragged int32 `[B, (S)]`; `truncated`
    is bool `[B]`, true where tokens were cut.
    """

    token_ids: tf.RaggedTensor
    token_type_ids: tf.RaggedTensor
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
    room = length - (2 if template == "bert" else 1)
    num_rows = tokens.nrows()
    parts = [_column(ids.cls, num_rows), tokens[:, :room]]
    if template == "bert":
        parts.append(_column(ids.sep, num_rows))
    packed = tf.concat(parts, axis=1)
    truncated = tokens.row_lengths() > room
    return PackedRows(packed, tf.zeros_like(packed), truncated)


def pack_pair(
    first: tf.RaggedTensor,
    second: tf.RaggedTensor,
    template: str,
    length: int,
    ids: SpecialIds,
) -> PackedRows:
    """Packs two texts a row; arguments as in `pack_single`."""
    room = length - 3
    truncated = first.row_lengths() + second.row_lengths() > room
    if template == "bert":
        keep_first, keep_second = longest_first(
            first.row_lengths(), second.row_lengths(), room
        )
        first = _keep(first, keep_first)
        second = _keep(second, keep_second)
    num_rows = first.nrows()
    sep = _column(ids.sep, num_rows)
    head = tf.concat([_column(ids.cls, num_rows), first, sep], axis=1)
    tail = tf.concat([second, sep], axis=1)
    packed = tf.concat([head, tail], axis=1)
    types = tf.concat([tf.zeros_like(head), tf.ones_like(tail)], axis=1)
    return PackedRows(packed[:, :length], types[:, :length], truncated)


def longest_first(
    first: tf.Tensor, second: tf.Tensor, room: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """How many tokens of each text stay, as Hugging Face's `longest_first`.

    The longer text gives way until both are equal; then they share the room,
    and an odd place goes to the longer one (the second one in a draw).

    Args:
        first: int64 `[B]`, tokens of the first text.
        second: int64 `[B]`, tokens of the second text.
        room: int, tokens allowed together.

    Returns:
        Two int64 `[B]`.
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


def _column(token_id: int, num_rows: tf.Tensor) -> tf.Tensor:
    return tf.fill([num_rows, 1], tf.constant(token_id, tf.int32))


def _keep(tokens: tf.RaggedTensor, counts: tf.Tensor) -> tf.RaggedTensor:
    """The first `counts[b]` tokens of every row."""
    places = tf.ragged.range(tokens.row_lengths())
    limits = tf.repeat(counts, tokens.row_lengths())
    stays = places.with_values(places.values < limits)
    return tf.ragged.boolean_mask(tokens, stays)
