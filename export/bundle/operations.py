"""What the graphs of a bundle may do: compute, and nothing else.

A SavedModel is a program. Loading one runs none of its graphs, but running
it would; so every graph is read first, and refused for an operation that this
library does not write: those on files and Python among them, and any other
that TensorFlow has or will have. The file is read as data for that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

_EVERY = (
    "Const Identity NoOp PartitionedCall Placeholder StatefulPartitionedCall"
)
# Shapes, and arithmetic on whole tensors.
_ARITHMETIC = (
    "AddV2 All BroadcastTo Cast ConcatV2 Equal GatherV2 Less Max Maximum "
    "Minimum Mul Pack Prod Range Reshape SelectV2 Shape StridedSlice Sub"
)
_NETWORK = (
    "BatchMatMulV2 BiasAdd Einsum Erfc Exp IsFinite Log MatMul Mean Neg Pow "
    "ReadVariableOp RealDiv Relu Rsqrt Softmax SquaredDifference "
    "StopGradient Sum Tanh Transpose VarHandleOp"
)
_TEXT = (
    "Assert BitwiseAnd Cumsum DenseBincount EnsureShape ExpandDims "
    "FastWordpieceTokenizeWithOffsets Greater GreaterEqual If LessEqual "
    "LogicalAnd LogicalOr RaggedGather RightShift Size Split Squeeze "
    "StringLength StringSplitV2 Tile UnicodeDecode UnicodeEncode Where "
    "ZerosLike"
)
# Pools, conditions on them, and reading `tf.Example`s.
_SERVING = (
    "Any ArgMax BatchFunction Fill LogicalNot LowerBound Pad ParseExampleV2 "
    "StatelessIf TopKV2"
)
SEGMENT_OPERATIONS = frozenset(f"{_EVERY} {_ARITHMETIC} {_NETWORK}".split())
TEXT_OPERATIONS = frozenset(f"{_EVERY} {_ARITHMETIC} {_TEXT}".split())
SERVING_OPERATIONS = SEGMENT_OPERATIONS | TEXT_OPERATIONS
SERVING_OPERATIONS |= frozenset(_SERVING.split())
# Of the two functions that write and read a SavedModel's variables for
# TensorFlow Serving. `tf.saved_model.load` does not call them.
_SAVER_OPERATIONS = frozenset(
    [
        "AssignVariableOp",
        "Const",
        "DisableCopyOnRead",
        "Identity",
        "MergeV2Checkpoints",
        "NoOp",
        "Pack",
        "ReadVariableOp",
        "RestoreV2",
        "SaveV2",
        "Select",
        "ShardedFilename",
        "StaticRegexFullMatch",
        "StringJoin",
    ]
)
_KINDS = frozenset(
    [
        "bare_concrete_function",
        "constant",
        "function",
        "user_object",
        "variable",
    ]
)
_OBJECTS = frozenset(
    ["_generic_user_object", "signature_map", "trackable_list_wrapper"]
)
_REGISTERED = frozenset(["", "tf.TrackableConstant"])


def check_saved_model(folder: str, allowed: frozenset[str]) -> None:
    """Refuses a SavedModel that could do something else than compute.

    Args:
        folder: of the SavedModel; nothing in it is run.
        allowed: names of the operations it may have.

    Raises:
        ValueError: it has another operation, in a function or outside, or an
            object, asset or restoring function of another kind.
    """
    path = os.path.join(folder, "saved_model.pb")
    graph = _read(path)
    library = graph.graph_def.library
    savers = _saver_functions(graph)
    for function in library.function:
        is_saver = function.signature.name in savers
        names = _SAVER_OPERATIONS if is_saver else allowed
        _check_operations(function.node_def, names, path)
    _check_operations(graph.graph_def.node, allowed, path)
    # The functions that touch files are for the saver's two nodes alone.
    called = [name for name in _called(graph) if name in savers]
    if sorted(called) != sorted(savers):
        _refuse("a call of the functions that save and restore", path)
    if library.gradient or library.registered_gradients:
        _refuse("gradients", path)
    if graph.asset_file_def:
        _refuse("assets", path)
    _check_objects(graph.object_graph_def, savers, path)


def _read(path: str) -> Any:
    model = saved_model_pb2.SavedModel()
    with open(path, "rb") as file:
        try:
            model.ParseFromString(file.read())
        except DecodeError as error:
            raise ValueError(
                f"{path} is not a SavedModel: {error}. Restore the file."
            ) from error
    if len(model.meta_graphs) != 1:
        _refuse(f"{len(model.meta_graphs)} graphs", path)
    return model.meta_graphs[0]


def _saver_functions(graph: Any) -> set[str]:
    """Names of the functions that the saver's two nodes call."""
    saver = graph.saver_def
    nodes = {saver.save_tensor_name.partition(":")[0], saver.restore_op_name}
    return {
        node.attr["f"].func.name
        for node in graph.graph_def.node
        if node.name in nodes and node.op == "StatefulPartitionedCall"
    }


def _called(graph: Any) -> Iterator[str]:
    """The name of a function, every time a node refers to it."""
    library = graph.graph_def.library.function
    for nodes in (graph.graph_def.node, *(f.node_def for f in library)):
        for node in nodes:
            for value in node.attr.values():
                if value.HasField("func"):
                    yield value.func.name
                yield from (func.name for func in value.list.func)


def _check_operations(
    nodes: Iterable[Any], allowed: frozenset[str], path: str
) -> None:
    others = sorted({node.op for node in nodes} - allowed)
    if others:
        _refuse(f"the operations {others}", path)


def _check_objects(objects: Any, savers: set[str], path: str) -> None:
    """Refuses objects that loading would do more with than make them."""
    for node in objects.nodes:
        kind = node.WhichOneof("kind")
        if kind not in _KINDS or node.saveable_objects:
            _refuse(f"an object of the kind {kind}", path)
        name = node.registered_name
        if name not in _REGISTERED:
            _refuse(f"an object of the class {name!r}", path)
        name = node.user_object.identifier
        if kind == "user_object" and name not in _OBJECTS:
            _refuse(f"an object of the class {name!r}", path)
    if savers & set(objects.concrete_functions):
        _refuse("the functions that save and restore as methods", path)


def _refuse(found: str, path: str) -> None:
    raise ValueError(
        f"{path} does more than compute. Received: {found}. Expected: what "
        "`export_segments` writes. Do not load it; export the model again."
    )
