"""Length buckets: each row is padded to the bucket of its own length.

There is one ladder of lengths. Where every length costs a part of a graph,
some of its rungs are left out (`few_buckets`), as they are in training
(`fastbert_tf/data/dataset.py`), where it costs a compilation on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fastbert_tf import INPUT_NAMES

# Shorter steps pad less, but leave fewer rows of a length to run together.
_STEPS = ((128, 8), (256, 16), (1 << 30, 32))
_SHORTEST = 16  # Of the doubling rungs.


def bucket_lengths(lengths: np.ndarray, longest: int) -> np.ndarray:
    """The padded length of rows: the next of a ladder of rising steps.

    It depends on a row's own length alone, not on the rows beside it.

    Args:
        lengths: int `[B]`, real tokens, 1 or more.
        longest: int, the positions the model has.

    Returns:
        int64 `[B]`, each at least the length and at most `longest`.
    """
    lengths = np.asarray(lengths, np.int64)
    ends = np.array([end for end, _ in _STEPS])
    steps = np.array([step for _, step in _STEPS])
    step = steps[np.searchsorted(ends, lengths)]
    return np.minimum(-(-lengths // step) * step, longest)


def all_buckets(longest: int, num_positions: int) -> list[int]:
    """Every padded length of rows of 1 to `longest` tokens.

    Args:
        longest: int.
        num_positions: int, the positions the model has.
    """
    lengths = np.arange(1, longest + 1)
    return np.unique(bucket_lengths(lengths, num_positions)).tolist()


def few_buckets(longest: int) -> list[int]:
    """The doubling rungs of the ladder under `longest`, and it.

    Args:
        longest: int, the positions the model has.
    """
    lengths = [_SHORTEST]
    while lengths[-1] < longest:
        lengths.append(2 * lengths[-1])
    return [*lengths[:-1], longest]


def row_lengths(padding_mask: np.ndarray) -> np.ndarray:
    """int64 `[B]`: positions up to the last real token of each row."""
    reversed_mask = np.asarray(padding_mask)[:, ::-1]
    return reversed_mask.shape[1] - reversed_mask.argmax(axis=1)


def cut(
    inputs: Mapping[str, np.ndarray],
    length: int,
    rows: np.ndarray | slice = slice(None),
) -> dict[str, np.ndarray]:
    """Some rows of `inputs`, padded or trimmed to `length` positions.

    Args:
        inputs: dict of int `[B, S]`.
        length: int; no real token of these rows lies behind it.
        rows: int `[K]`, row numbers; all of them by default.

    Returns:
        dict of int `[K, length]`.
    """
    result = {}
    for name in INPUT_NAMES:
        part = inputs[name][rows, :length]
        missing = length - part.shape[1]
        result[name] = np.pad(part, ((0, 0), (0, missing)))
    return result
