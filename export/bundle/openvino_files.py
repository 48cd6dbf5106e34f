"""A segment as OpenVINO's files, and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from fastbert_tf import FastBertConfig
from fastbert_tf.segments import Segment
from fastbert_tf.segments.backends import (
    OpenVinoSegment,
    Parts,
    convert_segment,
    halve_weights,
    imported_openvino,
    segment_signature,
)

from .layout import OPENVINO, SEGMENT_FILES

_BIN, _XML = SEGMENT_FILES[OPENVINO]
_TYPES = {"int32": "i32", "float32": "f32"}
# Those that `convert_segment` gives, of every activation and pooling.
_TYPES_OF_LAYERS = (
    "Add Broadcast Concat Const Convert Divide Einsum Equal Erf Exp Gather "
    "IsFinite Less Log MatMul Maximum Minimum Multiply Negative Parameter "
    "Power Range ReLU ReduceLogicalAnd ReduceMax ReduceMean ReduceProd "
    "ReduceSum Reshape Result Select ShapeOf SoftMax SquaredDifference "
    "StridedSlice Subtract Tanh Transpose Unsqueeze"
)
OPERATIONS = frozenset(_TYPES_OF_LAYERS.split())
# All that `openvino.serialize` writes. A namespace would be part of the name.
_TAGS = frozenset(
    [
        "data",
        "dim",
        "edge",
        "edges",
        "input",
        "layer",
        "layers",
        "net",
        "output",
        "port",
        "rt_info",
    ]
)


def save_openvino_segment(
    parts: Parts, folder: str, hidden_size: int, precision: str
) -> None:
    """Writes one segment, its own weights only.

    Args:
        parts: `Parts` of `openvino_parts`.
        folder: to make.
        hidden_size: int, H.
        precision: str, of the weights.

    Raises:
        OSError: there is no room for it.
    """
    network = convert_segment(parts, hidden_size)
    if precision == "bfloat16":
        halve_weights(network)
    os.makedirs(folder)
    paths = [os.path.join(folder, name) for name in (_XML, _BIN)]
    imported_openvino().serialize(network, *paths)
    if not _is_whole(*paths):  # OpenVINO does not say so.
        raise OSError(
            f"{folder} could not be written to its end. Expected: room for "
            "the bundle. Free some, or choose another path."
        )


def _is_whole(xml: str, weights: str) -> bool:
    """Whether both files have all that the graph refers to."""
    try:
        root = ElementTree.parse(xml).getroot()
    except ElementTree.ParseError:
        return False
    data = [layer.find("data") for layer in root.iter("layer")]
    ends = [
        int(x.get("offset")) + int(x.get("size"))
        for x in data
        if x is not None and x.get("offset") is not None
    ]
    return os.path.getsize(weights) >= max(ends)


def load_openvino_segment(
    folder: str,
    first_block: int,
    index: int,
    config: FastBertConfig,
    precision: str,
) -> Segment:
    """The segment in a folder that `save_openvino_segment` wrote.

    Args:
        folder, first_block, index, config: as of `load_segment`.
        precision: str, computed in.

    Raises:
        ModuleNotFoundError: OpenVINO is not installed.
        ValueError: it is no such segment.
    """
    path = os.path.join(folder, _XML)
    try:
        network = imported_openvino().Core().read_model(path)
    except RuntimeError as error:
        raise ValueError(
            f"{path} cannot be read: {str(error).splitlines()[-1]} Expected: "
            "what `export_segments` wrote. Export the model again."
        ) from error
    width = config.hidden_size
    inputs = [
        (_TYPES[spec.dtype.name], *spec.shape)
        for spec in segment_signature(first_block == 0, width, "float32")
    ]
    rows = "f32", None
    outputs = [(*rows, None, width), (*rows, config.num_classes), rows]
    _check(path, network.inputs, inputs)
    _check(path, network.outputs, outputs)
    return OpenVinoSegment(index, network, config, precision, first_block)


def check_openvino(folder: str) -> None:
    """Refuses a graph of other operations than a segment has.

    The file is read as data. OpenVINO has operations on tensors alone, but
    for those that somebody adds to it.

    Args:
        folder: of the segment.

    Raises:
        ValueError: it has another operation, or is no such file.
    """
    path = os.path.join(folder, _XML)
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(
            f"{path} is not a graph of OpenVINO: {error}. Restore the file."
        ) from error
    layers = list(root.iter("layer"))
    tags = {element.tag for element in root.iter()}
    if root.tag != "net" or not layers or tags - _TAGS:
        raise ValueError(
            f"{path} is not a graph of OpenVINO. Received: {len(layers)} "
            f"layers, and the elements {sorted(tags - _TAGS)}. Expected: what "
            "`export_segments` writes. Export the model again."
        )
    others = {
        f"{layer.get('type')} of {layer.get('version')}"
        for layer in layers
        if layer.get("type") not in OPERATIONS
        or not layer.get("version", "").startswith("opset")
    }
    if others:
        raise ValueError(
            f"{path} does more than a segment. Received: the operations "
            f"{sorted(others)}. Expected: what `export_segments` writes. Do "
            "not load it; export the model again."
        )


def _check(path: str, ports: Sequence[Any], expected: Sequence[tuple]) -> None:
    """Compares types and shapes, unknown sizes being None."""
    received = [
        (
            port.element_type.get_type_name(),
            *(x.get_length() if x.is_static else None for x in shape),
        )
        for port in ports
        for shape in [port.partial_shape]
    ]
    if received != list(expected):
        raise ValueError(
            f"{path} is another segment than its manifest says. Received: "
            f"{received}. Expected: {list(expected)}. Export the model again."
        )
