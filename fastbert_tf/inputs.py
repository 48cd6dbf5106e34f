"""Checks of the inputs dict: names, types, shapes and ranges of ids."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from .config import FastBertConfig

INPUT_NAMES = ("token_ids", "token_type_ids", "padding_mask")


def check_inputs(
    inputs: Mapping[str, Any], config: FastBertConfig
) -> dict[str, tf.Tensor]:
    """`inputs` as int32 tensors, once they are known to be sound.

    A GPU answers an id beyond the table with zeros and a CPU with an error,
    so both are refused here.

    Args:
        inputs: dict of integer `[B, S]`: `token_ids`, `token_type_ids`,
            `padding_mask` (1 = real token, at least one a row).
        config: `FastBertConfig`, for the sizes of the tables.

    Raises:
        TypeError: an input is not made of integers.
        ValueError: a name is missing or unknown, shapes differ, an id is
            outside its table, or a row has no real token.
    """
    if not isinstance(inputs, Mapping) or set(inputs) != set(INPUT_NAMES):
        received = sorted(inputs) if isinstance(inputs, Mapping) else inputs
        raise ValueError(
            f"`inputs` must be a dict of {list(INPUT_NAMES)}. Received: "
            f"{received}. Call a `TextPreprocessor` on texts to make one."
        )
    arrays = {name: np.asarray(inputs[name]) for name in INPUT_NAMES}
    for name, array in arrays.items():
        _check_kind(name, array)
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(
            f"Inputs must have one shape [B, S]. Received: {shapes}."
        )
    length = arrays["token_ids"].shape[1]
    _check_length(length, config.max_position_embeddings)
    _check_range("token_ids", arrays, config.vocab_size)
    _check_range("token_type_ids", arrays, config.type_vocab_size)
    _check_range("padding_mask", arrays, 2)
    _check_rows_not_empty(arrays["padding_mask"])
    return {name: tf.constant(x, tf.int32) for name, x in arrays.items()}


def check_preprocessor(
    vocab_size: int, sequence_length: int, config: FastBertConfig
) -> None:
    """Refuses a preprocessor whose ids or lengths the model has no row for.

    Args:
        vocab_size, sequence_length: of a `TextPreprocessor`.
        config: `FastBertConfig` of the model it is to feed.
    """
    if vocab_size != config.vocab_size:
        raise ValueError(
            f"The vocabulary must have {config.vocab_size} tokens, the rows "
            f"of the embedding. Received: {vocab_size}. Use the vocabulary "
            "that belongs to the checkpoint."
        )
    _check_length(sequence_length, config.max_position_embeddings)


def _check_kind(name: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"`{name}` must be made of integers. Received: dtype "
            f"{array.dtype}. Cast it to int32."
        )
    if array.ndim != 2:
        raise ValueError(
            f"`{name}` must have shape [B, S]. Received: shape "
            f"{array.shape}. Pass a batch, also for one row."
        )


def _check_length(length: int, num_positions: int) -> None:
    if not 1 <= length <= num_positions:
        raise ValueError(
            f"Rows must be 1 to {num_positions} tokens long, the size of the "
            f"position table. Received: {length}. Truncate to "
            f"sequence_length={num_positions} or less."
        )


def _check_range(
    name: str, arrays: Mapping[str, np.ndarray], size: int
) -> None:
    array = arrays[name]
    bad = np.argwhere((array < 0) | (array >= size))
    if len(bad):
        row, position = bad[0].tolist()
        raise ValueError(
            f"`{name}` must be in [0, {size}). Received: "
            f"{array[row, position]} in row {row}, position {position}. Use "
            "the vocabulary the model was trained with."
        )


def _check_rows_not_empty(padding_mask: np.ndarray) -> None:
    bad = np.flatnonzero(padding_mask.sum(axis=1) == 0)
    if len(bad):
        raise ValueError(
            "Every row must have a real token. Received: row "
            f"{bad[0]} with a `padding_mask` of zeros. An empty text still "
            "has [CLS] and [SEP]."
        )
