"""A segment M0..M11: a block, its exit classifier and its uncertainty."""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

from fastbert_tf import INPUT_NAMES, FastBertConfig

from .row_state import RowState

LATER_NAMES = ("hidden_states", "padding_mask")


def segment_name(first_block: int, index: int) -> str:
    """`M0` to `M11`; `M1-M3` where blocks are fused."""
    if first_block == index:
        return f"M{index}"
    return f"M{first_block}-M{index}"


class Segment:
    """A compiled slice of a FastBERT, the unit a driver runs.

    The first takes token ids, the others the hidden states of the segment
    before. What it returns stays on the device. It is traced once, for any
    number of rows (none included) and any length, and its weights are
    constants of the graph: training the model further does not change it.

    Segments are made by `build_segments`, not by hand.

    Args:
        index: int, the exit that ends it, and the block it ends with.
        function: `tf.function` of the signature `Segment.run` documents.
        config: `FastBertConfig` of the whole network.
        precision: str, of the hidden states.
        first_block: int, the block it begins with; `index` if left out.
    """

    def __init__(
        self,
        index: int,
        function: Any,
        config: FastBertConfig,
        precision: str,
        first_block: int | None = None,
    ) -> None:
        self.index = index
        self.function = function
        self.config = config
        self.precision = precision
        self.first_block = index if first_block is None else first_block

    @property
    def name(self) -> str:
        """`M0` to `M11`; `M1-M3` where blocks are fused."""
        return segment_name(self.first_block, self.index)

    @property
    def is_teacher(self) -> bool:
        """The last segment, which always answers."""
        return self.index == self.config.num_hidden_layers - 1

    def run(self, *arguments: Any, **named: Any) -> dict[str, tf.Tensor]:
        """Runs the segment on B rows, B of 0 or more.

        Args:
            *arguments: for the first segment the inputs dict (int32 `[B, S]`
                each); for the others `hidden_states` (`precision`,
                `[B, S, H]`) and `padding_mask` (int32 `[B, S]`); or, for
                any, a `RowState` that holds them. Ids are not checked here;
                `Driver.predict` does.
            **named: the same by name.

        Returns:
            dict, on the device: `hidden_states` (`precision`, `[B, S, H]`),
            `logits` (float32 `[B, C]`), `uncertainty` (float32 `[B]`).
        """
        return self._call(self._run, arguments, named)

    def advance(self, *arguments: Any, **named: Any) -> tf.Tensor:
        """Runs the blocks alone, for rows that do not ask this exit.

        It is compiled when first called, from `function`: what only the exit
        classifier needs is cut away. The blocks' weights are held twice then.

        Args:
            *arguments, **named: as of `run`.

        Returns:
            the hidden states, `precision`, `[B, S, H]`.
        """
        return self._call(self._advance, arguments, named)

    # Concrete functions are called without the search for the right trace,
    # which on a slow processor takes as long as a small block.
    @functools.cached_property
    def _run(self) -> Any:
        return self.function.get_concrete_function()

    @functools.cached_property
    def _advance(self) -> Any:
        return self.advance_function.get_concrete_function()

    @functools.cached_property
    def advance_function(self) -> Any:
        """The `tf.function` of `advance`."""

        def advance(*arguments: Any) -> Any:
            return self.function(*arguments)["hidden_states"]

        signature = self.function.input_signature
        return tf.function(advance, input_signature=signature, autograph=False)

    def _call(self, function: Any, arguments: tuple, named: dict) -> Any:
        if arguments and isinstance(arguments[0], RowState):
            (rows,) = arguments
            arguments = rows[:2] if self.first_block else (rows.inputs,)
        if self.first_block > 0:
            later = (named[name] for name in LATER_NAMES if name in named)
            return function(*arguments, *later)
        (inputs,) = (*arguments, *named.values())
        ids = [tf.cast(inputs[name], tf.int32) for name in INPUT_NAMES]
        return function(*ids)
