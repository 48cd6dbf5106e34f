"""Full depth as an ONNX file, in the form other runtimes fuse best.

Both files answer any batch size and length, and keep their weights in a
second file beside them, which an ONNX file above 2 GiB must.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import warnings
from collections.abc import Iterator
from typing import Any

from fastbert_tf import INPUT_NAMES, FastBertClassifier

from .torch_network import TorchNetwork

# From 20 on GELU is one operator, whose tanh form onnxruntime 1.32 fuses with
# the bias into the erf form: logits come out 2e-4 off.
_OPSET = 18
# Added to the scores of padding keys: what the fused attention adds.
_PADDING_SCORE = -10_000.0
# Warnings of PyTorch 2.13 about its own code and about names not kept.
_EXPORT_WARNINGS = (
    (FutureWarning, r"`isinstance\(treespec, LeafSpec\)` is deprecated"),
    (UserWarning, r"# The axis name: \w+ will not be used"),
)


def write_onnx(model: FastBertClassifier, path: str) -> None:
    """Writes encoder and teacher, of our inputs and with output `logits`.

    OpenVINO and the optimizer of onnxruntime know attention by the operators
    it consists of. They find it in eager attention with the mask below, and
    not in what PyTorch exports for its fused attention or for the mask of
    `transformers`: measured on 2 cores with AVX2 (3 blocks of BERT-base, 1
    thread, one row of 384 tokens), 241 ms became 223 on onnxruntime and 237
    became 226 on OpenVINO.

    Args:
        model: `FastBertClassifier` with `classifier_pooling="first"`.
        path: str, file to write; its weights go to `path` + `.data`.
    """
    import torch

    network = TorchNetwork(model, attention="eager")
    module = network.as_module(functools.partial(_full_depth, network))
    longest = model.config.max_position_embeddings
    axes = {
        0: torch.export.Dim("rows"),
        1: torch.export.Dim("positions", max=longest),
    }
    # PyTorch takes an axis of 1 for one that never changes, and a tensor
    # given three times for one input.
    shape = (2, min(3, longest))
    examples = tuple(torch.ones(shape, dtype=torch.int32) for _ in INPUT_NAMES)
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            module,
            examples,
            path,
            input_names=INPUT_NAMES,
            output_names=["logits"],
            dynamic_shapes=(axes, axes, axes),
            opset_version=_OPSET,
            optimize=False,  # It merges what the runtimes look for.
            verbose=False,
        )


def fuse_onnx(model: FastBertClassifier, path: str, fused_path: str) -> None:
    """Rewrites a file of `write_onnx` for onnxruntime, by its own optimizer.

    It joins attention, GELU with its bias, and additions with the layer norm
    after them into single operators, which no other runtime has.

    Args:
        model: the `FastBertClassifier` in the file.
        path: str, file to read.
        fused_path: str, file to write; weights to `fused_path` + `.data`.
    """
    from onnxruntime.transformers import fusion_options, optimizer

    options = fusion_options.FusionOptions("bert")
    # Otherwise rows are taken to be padded at their end only.
    options.use_raw_attention_mask(True)
    optimized = optimizer.optimize_model(
        path,
        "bert",
        num_heads=model.config.num_attention_heads,
        hidden_size=model.config.hidden_size,
        optimization_options=options,
    )
    optimized.save_model_to_file(fused_path, use_external_data_format=True)


def _full_depth(
    network: TorchNetwork,
    token_ids: Any,
    token_type_ids: Any,
    padding_mask: Any,
) -> Any:
    length = padding_mask.shape[1]
    is_real = padding_mask[:, None, None, :].expand(-1, 1, length, length)
    is_padding = 1.0 - is_real.float()
    mask = is_padding.masked_fill(is_padding.bool(), _PADDING_SCORE)
    hidden_states = network.embed(token_ids, token_type_ids)
    for index in range(network.config.num_hidden_layers):
        hidden_states = network.run_block(index, hidden_states, mask)
    return network.exit_logits(-1, hidden_states, padding_mask)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what PyTorch says about itself while it exports."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    # It warns of every operator of torchvision, which we do not need.
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for category, message in _EXPORT_WARNINGS:
                warnings.filterwarnings("ignore", message, category)
            yield
    finally:
        logger.setLevel(before)
