"""FLOPs of every part of a FastBERT, in two conventions.

`"full"` counts every dense layer and the two attention products, with one
query in an exit classifier that reads one position. (At inference the code
folds that classifier's keys and values away, a quarter of its work, which is
not taken off here.) `"paper"` is the published count, made with thop: dense
layers only, those of an exit classifier on every position. It leaves the
classifier's last dense layer (to C logits) out: 41,975,808 is published for
any C, at 128 tokens of BERT-base. Both count 2 per multiply-add; neither
counts lookups, biases, layer norm, softmax or activations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..config import FastBertConfig

CONVENTIONS = ("full", "paper")

Count = int | np.ndarray


@dataclasses.dataclass(frozen=True)
class FlopCounts:
    """FLOPs of one row, by part; arrays where lengths were an array.

    Args:
        num_blocks: int, L.
        block: int or int64 `[B]`, one block.
        exit_classifier: int or int64 `[B]`, one student, or the teacher.
    """

    num_blocks: int
    block: Count
    exit_classifier: Count

    @property
    def embeddings(self) -> Count:
        """0 in both conventions: they are lookups."""
        return 0 * self.block

    @property
    def full_depth(self) -> Count:
        """L blocks and the teacher: BERT without students."""
        return self.alone_at(self.num_blocks - 1)

    def leaving_at(
        self, exit_index: Any, exits: Sequence[int] | None = None
    ) -> Count:
        """A row that leaves at an exit, having asked those before it.

        Args:
            exit_index: int, or int `[B]`, in [0, L).
            exits: ints that rise, the exits that are asked; all by default.
        """
        depth = self._depth(exit_index)
        asked = depth
        if exits is not None:
            asked = np.searchsorted(exits, depth - 1, side="right")
        return depth * self.block + asked * self.exit_classifier

    def alone_at(self, exit_index: Any) -> Count:
        """A network cut at an exit: its blocks and this one classifier.

        Args:
            exit_index: int, or int `[B]`, in [0, L).
        """
        return self._depth(exit_index) * self.block + self.exit_classifier

    def _depth(self, exit_index: Any) -> Any:
        inside = (exit_index >= 0) & (exit_index < self.num_blocks)
        if not np.all(inside):
            raise ValueError(
                f"`exit_index` must be in [0, {self.num_blocks}). Received: "
                f"exit_index={exit_index}. Pass an exit of this model."
            )
        # Drivers give int32, in which the FLOPs of one block overflow.
        depth = np.asarray(exit_index, np.int64) + 1
        return depth if depth.ndim else int(depth)


def count_flops(
    config: FastBertConfig, length: Any, convention: str = "full"
) -> FlopCounts:
    """FLOPs of one row of `length` tokens.

    Args:
        config: `FastBertConfig`, for the sizes.
        length: int, or int `[B]` for one count a row. Tokens computed on:
            real ones, and padding if it is to be counted.
        convention: str, `"full"` or `"paper"`; see the module.

    Raises:
        TypeError: `length` is not made of whole numbers.
        ValueError: a length is below 1, or `convention` is another one.

    Reference:
        FastBERT (Liu et al., 2020), table 1 and section 4.

    Example:

    >>> count_flops(FastBertConfig(), 128, "paper").full_depth
    21785247744
    """
    if convention not in CONVENTIONS:
        raise ValueError(
            f"`convention` must be one of {list(CONVENTIONS)}. Received: "
            f"convention={convention!r}."
        )
    length = _check_length(length)
    is_paper = convention == "paper"
    classifier = _paper_classifier if is_paper else _full_classifier
    block = _block_dense(config, length)
    if not is_paper:
        block = block + _products(length, length, config.hidden_size)
    return FlopCounts(
        config.num_hidden_layers, block, classifier(config, length)
    )


def _check_length(length: Any) -> Count:
    values = np.asarray(length)
    if values.dtype.kind not in "iu":
        raise TypeError(
            "`length` must be a whole number of tokens, or one a row. "
            f"Received: length={length!r}. Pass integers."
        )
    if np.any(values < 1):
        raise ValueError(
            "`length` must be 1 or more. Received: "
            f"length={values.min()}. An empty text still has [CLS] and [SEP]."
        )
    return values.astype(np.int64) if values.ndim else int(length)


def _dense(positions: Count, inputs: int, outputs: int) -> Count:
    return 2 * positions * inputs * outputs


def _products(queries: Count, keys: Count, width: int) -> Count:
    """Scores and weighted values: two products over all heads together."""
    return 2 * (2 * queries * keys * width)


def _block_dense(config: FastBertConfig, length: Count) -> Count:
    width, inner = config.hidden_size, config.intermediate_size
    attention = 4 * _dense(length, width, width)
    return attention + 2 * _dense(length, width, inner)


def _paper_classifier(config: FastBertConfig, length: Count) -> Count:
    width = config.classifier_hidden_size
    narrowed = _dense(length, config.hidden_size, width)
    attention = 4 * _dense(length, width, width)
    return narrowed + attention + _dense(1, width, width)


def _full_classifier(config: FastBertConfig, length: Count) -> Count:
    width = config.classifier_hidden_size
    queries = length if config.classifier_pooling == "max" else 1
    narrowed = _dense(length, config.hidden_size, width)
    key_and_value = 2 * _dense(length, width, width)
    query_and_output = 2 * _dense(queries, width, width)
    products = _products(queries, length, width)
    pooled = _dense(1, width, width) + _dense(1, width, config.num_classes)
    return narrowed + key_and_value + query_and_output + products + pooled
