"""Checks of texts, and their conversion to one string tensor."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

Texts = tf.Tensor | np.ndarray | list | tuple


def as_texts(value: Texts, name: str) -> tf.Tensor:
    """Checks texts once, at the boundary.

    Args:
        value: list, tuple or array of str or bytes, or string tensor `[B]`.
        name: str, the argument's name in messages.

    Returns:
        string `[B]`.

    Raises:
        TypeError: if something is not a string.
        ValueError: if there is not exactly one axis.
    """
    if isinstance(value, str | bytes):
        raise TypeError(
            f"`{name}` must be a list of strings. Received: one "
            f"{type(value).__name__}. Pass a list that holds it."
        )
    if not tf.is_tensor(value):
        return _from_python(value, name)
    if value.dtype != tf.string:
        raise TypeError(
            f"`{name}` must be a string tensor. Received: dtype="
            f"{value.dtype.name}. Pass the texts, not their ids."
        )
    if value.shape.rank not in (1, None):
        raise ValueError(
            f"`{name}` must have one axis. Received: shape={value.shape}. "
            "Pass the second text of each row as `pairs`."
        )
    return tf.ensure_shape(value, [None])


def _from_python(value: Texts, name: str) -> tf.Tensor:
    if not isinstance(value, list | tuple | np.ndarray):
        raise TypeError(
            f"`{name}` must be a list of strings or a string tensor. "
            f"Received: {type(value).__name__}. Pass a list."
        )
    if isinstance(value, np.ndarray) and value.ndim != 1:
        raise ValueError(
            f"`{name}` must have one axis. Received: shape={value.shape}. "
            "Pass the second text of each row as `pairs`."
        )
    for place, text in enumerate(value):
        if not isinstance(text, str | bytes):
            raise TypeError(
                f"`{name}` must hold strings. Received: {name}[{place}] of "
                f"type {type(text).__name__}. Pass an empty string for a "
                "missing text."
            )
    encoded = [
        encode_text(text) if isinstance(text, str) else text for text in value
    ]
    return tf.constant(encoded, tf.string, shape=[len(encoded)])


def encode_text(text: str) -> bytes:
    """UTF-8; a lone surrogate becomes bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogatepass")
