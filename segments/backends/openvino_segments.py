"""Segments that OpenVINO runs on the processor, for the same drivers."""

from __future__ import annotations

import importlib
import importlib.util
import os
import tempfile
import threading
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import tensorflow as tf

from fastbert_tf import FastBertClassifier, FastBertConfig

from ..segment import Segment
from ..segment_plan import SegmentPlan
from .building import Parts, frozen_function, network_parts

OUTPUTS = ("hidden_states", "logits", "uncertainty")
# Smaller constants are not weights, or save nothing.
_MIN_WEIGHTS = 64
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoSegment(Segment):
    """A segment whose graph OpenVINO runs.

    It takes and gives what a `Segment` does, as TensorFlow's tensors on the
    host. Hidden states are float32 between segments in either precision.
    Any thread may run it; it is compiled when it first runs. It has no
    `tf.function`: `function` is None.

    Args:
        index: int, the exit that ends it, and the block it ends with.
        network: `openvino.Model` of `convert_segment`.
        config: `FastBertConfig` of the whole network.
        precision: str, computed in. A processor without bfloat16 instructions
            computes in float32.
        first_block: int, the block it begins with.

    Raises:
        ModuleNotFoundError: OpenVINO is not installed.
    """

    def __init__(
        self,
        index: int,
        network: Any,
        config: FastBertConfig,
        precision: str,
        first_block: int,
    ) -> None:
        super().__init__(index, None, config, "float32", first_block)
        self._network = network
        self._lock = threading.Lock()
        self._compiled = {}
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
        }

    def _run(self, *tensors: Any) -> dict[str, tf.Tensor]:
        return self._of(OUTPUTS)(*tensors)

    def _advance(self, *tensors: Any) -> tf.Tensor:
        """The blocks alone, their weights held twice then."""
        return self._of(OUTPUTS[:1])(*tensors)["hidden_states"]

    def _of(self, names: tuple[str, ...]) -> _Compiled:
        """The network that gives its first outputs, compiled once."""
        with self._lock:
            if names not in self._compiled:
                network = self._network.clone()
                outputs = network.outputs[: len(names)]
                cut = imported_openvino().Model(
                    [x.get_node() for x in outputs], network.get_parameters()
                )
                self._compiled[names] = _Compiled(cut, self._settings, names)
            return self._compiled[names]


class _Compiled:
    """A network compiled for this processor, called with tensors.

    Args:
        network: `openvino.Model`.
        settings: of its compilation.
        names: of what it gives, in order.
    """

    def __init__(
        self, network: Any, settings: dict[str, str], names: Sequence[str]
    ) -> None:
        openvino = imported_openvino()
        self._compiled = openvino.Core().compile_model(network, "CPU", settings)
        self._names = names
        self._shapes = [x.partial_shape for x in self._compiled.outputs]
        self._local = threading.local()

    def __call__(self, *tensors: Any) -> dict[str, tf.Tensor]:
        arrays = [np.asarray(x) for x in tensors]
        if not len(arrays[-1]):
            return self._nothing(arrays[-1].shape)
        # The arrays of a request are its own until it runs again, and each
        # is copied once, into a tensor.
        results = self._request.infer(
            arrays, share_inputs=True, share_outputs=True
        )
        with tf.device("CPU:0"):
            tensors = [tf.constant(results[i]) for i in range(len(results))]
        return dict(zip(self._names, tensors, strict=True))

    @property
    def _request(self) -> Any:
        """This thread's."""
        if not hasattr(self._local, "request"):
            self._local.request = self._compiled.create_infer_request()
        return self._local.request

    def _nothing(self, shape: tuple[int, int]) -> dict[str, tf.Tensor]:
        """What no rows give, of so many positions."""
        outputs = {}
        for name, sizes in zip(self._names, self._shapes, strict=True):
            known = [x.get_length() for x in sizes if x.is_static]
            positions = shape[1:] if len(sizes) == 3 else ()
            outputs[name] = tf.zeros([0, *positions, *known])
        return outputs


def build_openvino_segments(
    model: FastBertClassifier,
    precision: str = "float32",
    plan: SegmentPlan | None = None,
) -> list[Segment]:
    """The segments of a trained model, on OpenVINO.

    Args:
        model, precision, plan: as of `build_segments`.

    Raises:
        ModuleNotFoundError: OpenVINO is not installed.
        ValueError: as of `build_segments`.
    """
    imported_openvino()
    config = model.config
    return [
        OpenVinoSegment(
            part.index,
            convert_segment(part, config.hidden_size),
            config,
            precision,
            part.index - len(part.blocks) + 1,
        )
        for part in openvino_parts(model, precision, plan)
    ]


def openvino_parts(
    model: FastBertClassifier, precision: str, plan: SegmentPlan | None
) -> list[Parts]:
    """The layers of every segment, for `convert_segment`.

    Weights are rounded to `precision`. Graphs are of float32: OpenVINO lowers
    them itself, as the processor allows.
    """
    parts = network_parts(model, precision, plan, "float32")
    return [part._replace(precision="float32") for part in parts]


def convert_segment(parts: Parts, hidden_size: int) -> Any:
    """A segment as an `openvino.Model`.

    Inputs and outputs have the names, types and shapes of `Segment.run`; rows
    and length are unknown.

    Args:
        parts: `Parts` of `openvino_parts`.
        hidden_size: int, H.
    """
    openvino = imported_openvino()
    signature = parts.signature(hidden_size)
    function = frozen_function(parts.run, signature, parts.layers)
    graph = function.get_concrete_function()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "segment.pb")
        with open(path, "xb") as file:
            file.write(graph.graph.as_graph_def().SerializeToString())
        network = openvino.Core().read_model(path)
    inputs = [network.input(x.name).get_node() for x in graph.inputs]
    outputs = [network.output(x.name) for x in graph.outputs]
    names = [spec.name for spec in signature]
    for node, name in zip(inputs, names, strict=True):
        node.output(0).set_names({name})
        node.set_friendly_name(name)
    for output, name in zip(outputs, OUTPUTS, strict=True):
        output.set_names({name})
    return openvino.Model([x.get_node() for x in outputs], inputs, "segment")


def halve_weights(network: Any) -> None:
    """Keeps constants that bfloat16 holds exactly in its two bytes.

    Args:
        network: `openvino.Model` of weights rounded to bfloat16; changed in
            place. What it computes stays the same.
    """
    openvino = imported_openvino()
    operations = importlib.import_module("openvino.opset13")
    for node in network.get_ordered_ops():
        if node.get_type_name() != "Constant":
            continue
        if node.get_element_type() != openvino.Type.f32:
            continue
        values = node.data
        halves = values.astype(ml_dtypes.bfloat16)
        is_exact = np.array_equal(halves.astype(np.float32), values)
        if values.size < _MIN_WEIGHTS or not is_exact:
            continue
        tensor = openvino.Tensor(
            halves.view(np.uint16), values.shape, openvino.Type.bf16
        )
        # The tensor is of our memory, so it is copied.
        constant = openvino.op.Constant(tensor, shared_memory=False)
        whole = operations.convert(constant, "f32")
        for target in node.output(0).get_target_inputs():
            target.replace_source_output(whole.output(0))


def imported_openvino() -> Any:
    """The package, which is optional.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    if importlib.util.find_spec("openvino") is None:
        raise ModuleNotFoundError(
            "These segments need OpenVINO, which is not installed. Run `pip "
            "install 'fastbert-tf[openvino]'`, or use segments of TensorFlow."
        )
    return importlib.import_module("openvino")
