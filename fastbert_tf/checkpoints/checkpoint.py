"""`Checkpoint`: configuration and tensors of a model, in our names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from absl import logging

from ..config import FastBertConfig
from .shapes import EXIT_PREFIX
from .table import listed

_BLOCK = re.compile(r"block_(\d+)/(.*)")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Configuration and tensors, as any of the readers gives them.

    Args:
        config: `FastBertConfig`. While there are no exit classifiers its
            `num_classes` is a placeholder; see `with_num_classes`.
        tensors: float32 arrays by the names of
            `FastBertClassifier.named_weights()`, dense kernels `[in, out]`.
        origin: plain JSON values saying where the weights come from; kept
            through saving and loading.
    """

    config: FastBertConfig
    tensors: dict[str, np.ndarray]
    origin: dict[str, Any]

    @property
    def has_exit_classifiers(self) -> bool:
        """Whether it is a FastBERT; a plain BERT has none."""
        return any(name.startswith(EXIT_PREFIX) for name in self.tensors)

    def with_num_classes(self, num_classes: int | None) -> Checkpoint:
        """The checkpoint for `num_classes`, which its classifiers may fix.

        Raises:
            ValueError: its exit classifiers have another number.
        """
        if not self.has_exit_classifiers:
            count = 2 if num_classes is None else num_classes
            config = self.config.replace(num_classes=count)
            return dataclasses.replace(self, config=config)
        if num_classes not in (None, self.config.num_classes):
            raise ValueError(
                "`num_classes` must be that of the checkpoint's exit "
                f"classifiers. Received: num_classes={num_classes}. "
                f"Expected: {self.config.num_classes}. Leave it out, or "
                "start from a checkpoint without exit classifiers."
            )
        return self

    def stacked(self, num_layers: int) -> Checkpoint:
        """A deeper checkpoint, each block repeated in place (0, 0, 1, 1).

        It is a start for training: the deeper network computes something
        else until it is trained.

        Raises:
            ValueError: `num_layers` is no multiple of the blocks there are,
                or there are exit classifiers, which belong to their depth.
        """
        num_blocks = self.config.num_hidden_layers
        if num_layers == num_blocks:
            return self
        self._check_can_stack(num_layers)
        repetition = num_layers // num_blocks
        logging.info(
            "%d blocks stacked to %d: each repeated %d times",
            num_blocks,
            num_layers,
            repetition,
        )
        earlier = self.origin.get("block_repetition", 1)
        return Checkpoint(
            self.config.replace(num_hidden_layers=num_layers),
            _repeat_blocks(self.tensors, repetition),
            {**self.origin, "block_repetition": earlier * repetition},
        )

    def assign_to(self, variables: Mapping[str, keras.Variable]) -> None:
        """Every variable gets its tensor, or none does.

        Without exit classifiers in the checkpoint those of `variables` keep
        their fresh values, and the log says so.

        Raises:
            ValueError: names or shapes differ; the message has both lists.
        """
        fresh = [name for name in variables if name.startswith(EXIT_PREFIX)]
        if self.has_exit_classifiers:
            fresh = []
        expected = variables.keys() - set(fresh)
        self._check_same_names(expected)
        self._check_same_shapes(variables)
        for name, tensor in self.tensors.items():
            variables[name].assign(tensor)
        if fresh:
            logging.info(
                "The checkpoint has no exit classifiers: %d variables of "
                "theirs start fresh and are to be trained.",
                len(fresh),
            )

    def _check_can_stack(self, num_layers: int) -> None:
        num_blocks = self.config.num_hidden_layers
        if num_layers < num_blocks or num_layers % num_blocks:
            raise ValueError(
                "`num_layers` must be a multiple of the checkpoint's "
                f"{num_blocks} blocks. Received: num_layers={num_layers}. "
                "Leave it out to keep the checkpoint's own number."
            )
        if self.has_exit_classifiers:
            raise ValueError(
                f"The checkpoint has exit classifiers on {num_blocks} blocks, "
                f"which fit that depth only. Received: num_layers="
                f"{num_layers}. Leave it out."
            )

    def _check_same_names(self, expected: set[str]) -> None:
        unused = self.tensors.keys() - expected
        missing = expected - self.tensors.keys()
        if unused or missing:
            raise ValueError(
                "The checkpoint does not fit the model. Received, unused: "
                f"{listed(unused)}. Expected, missing: {listed(missing)}. "
                "Build the model from the checkpoint's configuration."
            )

    def _check_same_shapes(
        self, variables: Mapping[str, keras.Variable]
    ) -> None:
        different = [
            f"{name}: received {tensor.shape}, expected "
            f"{tuple(variables[name].shape)}"
            for name, tensor in self.tensors.items()
            if tensor.shape != tuple(variables[name].shape)
        ]
        if different:
            raise ValueError(
                f"Shapes differ. {listed(different)}. Build the model from "
                "the checkpoint's configuration."
            )


def _repeat_blocks(
    tensors: Mapping[str, np.ndarray], repetition: int
) -> dict[str, np.ndarray]:
    repeated = {}
    for name, tensor in tensors.items():
        match = _BLOCK.fullmatch(name)
        if not match:
            repeated[name] = tensor
            continue
        first = int(match[1]) * repetition
        for i in range(first, first + repetition):
            repeated[f"block_{i}/{match[2]}"] = tensor
    return repeated
