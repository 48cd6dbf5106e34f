"""BERT at full depth on other runtimes, to be measured beside."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable, Mapping

import numpy as np

from fastbert_tf import INPUT_NAMES, FastBertClassifier

from .onnx_export import fuse_onnx, write_onnx
from .torch_network import (
    TorchNetwork,
    check_num_threads,
    require,
    torch_threads,
)

Inputs = Mapping[str, np.ndarray]
Function = Callable[[Inputs], np.ndarray]

PEERS = (
    "torch float32",
    "torch bfloat16",
    "onnxruntime float32",
    "openvino float32",
    "openvino bfloat16",
)
_EXPORTER = ("torch", "transformers", "onnx", "onnxscript")
_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_PRECISIONS = {hint: precision for precision, hint in _HINTS.items()}


@dataclasses.dataclass(frozen=True)
class Peer:
    """All blocks and the teacher of a model on another runtime.

    Called with the inputs dict (int32 `[B, S]`, any B of 1 or more and any
    S), it gives the logits, float32 `[B, C]`, on the host. It checks nothing.

    Args:
        name: str, one of `PEERS`.
        precision: str, what it computes in. OpenVINO falls back to
            `"float32"` on a CPU without bfloat16 instructions; PyTorch
            computes in bfloat16 on any, and is slower for it there.
        function: what a call runs.
    """

    name: str
    precision: str
    function: Function

    def __call__(self, inputs: Inputs) -> np.ndarray:
        return self.function(inputs)


def build_peer(
    name: str, model: FastBertClassifier, num_threads: int | None = None
) -> Peer:
    """The full depth of `model` on the runtime `name`, weights copied.

    Args:
        name: str, one of `PEERS`.
        model: `FastBertClassifier` with `classifier_pooling="first"`.
        num_threads: int, threads to compute on; None leaves the choice to
            the runtime. PyTorch has one number a process, which is set for
            the length of a call.

    Raises:
        ModuleNotFoundError: a package of the extra `peers` is missing.
        ValueError: an argument is not as above.
    """
    if name not in PEERS:
        raise ValueError(
            f"`name` must be one of {list(PEERS)}. Received: name={name!r}."
        )
    if num_threads is not None:
        check_num_threads(num_threads)
    runtime, precision = name.split()
    build = _BUILDERS[runtime]
    function, precision = build(model, precision, num_threads)
    return Peer(name, precision, function)


def _build_torch(
    model: FastBertClassifier, precision: str, num_threads: int | None
) -> tuple[Function, str]:
    require("torch", "transformers")
    import torch

    network = TorchNetwork(model).to(getattr(torch, precision))

    def function(inputs: Inputs) -> np.ndarray:
        tensors = [torch.tensor(inputs[name]) for name in INPUT_NAMES]
        with torch_threads(num_threads), torch.inference_mode():
            return network.full_depth(*tensors).numpy()

    return function, precision


def _build_onnxruntime(
    model: FastBertClassifier, precision: str, num_threads: int | None
) -> tuple[Function, str]:
    require(*_EXPORTER, "onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.graph_optimization_level = level
    options.intra_op_num_threads = num_threads or 0  # 0: its own choice
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        fused_path = os.path.join(folder, "fused.onnx")
        write_onnx(model, path)
        fuse_onnx(model, path, fused_path)
        session = onnxruntime.InferenceSession(
            fused_path, options, providers=["CPUExecutionProvider"]
        )

    def function(inputs: Inputs) -> np.ndarray:
        feeds = {name: inputs[name] for name in INPUT_NAMES}
        return session.run(["logits"], feeds)[0]

    return function, precision


def _build_openvino(
    model: FastBertClassifier, precision: str, num_threads: int | None
) -> tuple[Function, str]:
    require(*_EXPORTER, "openvino")
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
    }
    if num_threads is not None:
        settings["INFERENCE_NUM_THREADS"] = num_threads
    # Reading a file, unlike `convert_model`, reports no usage to its makers.
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        write_onnx(model, path)
        compiled = openvino.Core().compile_model(path, "CPU", settings)

    def function(inputs: Inputs) -> np.ndarray:
        return compiled({name: inputs[name] for name in INPUT_NAMES})[0]

    # What it computes in, which is not always what was asked for.
    hint = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    return function, _PRECISIONS.get(hint, hint)


_BUILDERS = {
    "torch": _build_torch,
    "onnxruntime": _build_onnxruntime,
    "openvino": _build_openvino,
}
