"""Inference as the released FastBERT runs it, one text at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastbert_tf import (
    INPUT_NAMES,
    ExitResult,
    FastBertClassifier,
    check_inputs,
    check_speed,
)

from .torch_network import TorchNetwork, check_num_threads, torch_threads


class OfficialLoop:
    """The released algorithm on PyTorch, the early exit to compare with.

    One text at a time, padded to one length, in float32: a block, its exit
    classifier with the attention of every position, the entropy, and a look
    at it on the host to see whether the text leaves. The blocks are those of
    `transformers`, whose fused attention the released code did not have yet;
    it gains by that.

    Args:
        model: `FastBertClassifier` with `classifier_pooling="first"`.
        sequence_length: int, tokens every text is padded to; 128 in the
            released script.
        num_threads: int, threads of PyTorch during `predict`; 1 in the
            released script.

    Raises:
        ModuleNotFoundError: PyTorch is not installed.
        ValueError: an argument is not as above.

    Reference:
        `FastBertClassifier.forward` of `autoliuweijie/FastBERT:
        run_fastbert.py`, with that script's defaults. It keeps a text while
        `entropy > speed`; here a text leaves when `uncertainty < speed`, as
        everywhere in this project.
    """

    def __init__(
        self,
        model: FastBertClassifier,
        sequence_length: int = 128,
        num_threads: int = 1,
    ) -> None:
        check_num_threads(num_threads)
        _check_sequence_length(
            sequence_length, model.config.max_position_embeddings
        )
        self.config = model.config
        self.sequence_length = sequence_length
        self.num_threads = num_threads
        self._network = TorchNetwork(model)

    def predict(self, inputs: Mapping[str, Any], speed: Any) -> ExitResult:
        """Answers B rows, one after another.

        Args:
            inputs: dict of integer `[B, S]`: `token_ids`, `token_type_ids`,
                `padding_mask`; S up to `sequence_length`, B may be 0.
            speed: float in [0, 1], one value or `[B]`.

        Returns:
            `ExitResult` in the order of the rows.

        Raises:
            TypeError, ValueError: an input or `speed` is not as above.
        """
        import torch

        checked = check_inputs(inputs, self.config)
        arrays = [self._padded(checked[name].numpy()) for name in INPUT_NAMES]
        num_rows = len(arrays[0])
        speeds = np.broadcast_to(check_speed(speed, num_rows), [num_rows])
        logits = np.empty((num_rows, self.config.num_classes), np.float32)
        uncertainty = np.empty(num_rows, np.float32)
        exit_index = np.empty(num_rows, np.int32)
        with torch_threads(self.num_threads), torch.inference_mode():
            for i in range(num_rows):
                row = [torch.tensor(array[i : i + 1]) for array in arrays]
                answer = self._answer(*row, speed=float(speeds[i]))
                logits[i], uncertainty[i], exit_index[i] = answer
        return ExitResult(logits, uncertainty, exit_index)

    def _answer(
        self,
        token_ids: Any,
        token_type_ids: Any,
        padding_mask: Any,
        speed: float,
    ) -> tuple[np.ndarray, float, int]:
        """Logits `[C]`, uncertainty and exit of one row, `[1, S]`."""
        network = self._network
        mask = padding_mask.bool()[:, None, None, :]
        hidden_states = network.embed(token_ids, token_type_ids)
        for index in range(self.config.num_hidden_layers):
            hidden_states = network.run_block(index, hidden_states, mask)
            logits = network.exit_logits(
                index, hidden_states, padding_mask, all_positions=True
            )
            uncertainty = _normalized_entropy(logits).item()
            if uncertainty < speed:
                break
        return logits[0].numpy(), uncertainty, index

    def _padded(self, array: np.ndarray) -> np.ndarray:
        num_more = self.sequence_length - array.shape[1]
        if num_more < 0:
            raise ValueError(
                f"Rows must be at most {self.sequence_length} tokens long, "
                f"the `sequence_length` of the loop. Received: "
                f"{array.shape[1]}. Truncate them, or make a longer loop."
            )
        return np.pad(array, ((0, 0), (0, num_more)))


def _check_sequence_length(sequence_length: int, longest: int) -> None:
    if not 1 <= sequence_length <= longest:
        raise ValueError(
            f"`sequence_length` must be in [1, {longest}], the size of the "
            f"position table. Received: sequence_length={sequence_length}. "
            "Pass the length the model was trained with."
        )


def _normalized_entropy(logits: Any) -> Any:
    """Of softmax, float32 `[1]` in [0, 1]; NaN of logits that are."""
    logarithms = logits.log_softmax(dim=-1)
    entropy = -(logarithms.exp() * logarithms).sum(dim=-1)
    return (entropy / math.log(logits.shape[-1])).clamp(0.0, 1.0)
