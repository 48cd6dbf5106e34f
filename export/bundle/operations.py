"""Allow-list of the operations in a bundle's graphs.

A SavedModel is a program for a model server. Nothing here loads or runs it;
but a bundle is refused if a graph of it has an operation that this library
does not write: those on files and Python among them, and any other that
TensorFlow has or will have. The file is read as data for that.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
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
# Of the two functions that read and write a SavedModel's variables for
# TensorFlow Serving, which runs the first when it loads the model.
_EITHER = "AssignVariableOp Const Identity NoOp"
_SAVE = (
    "DisableCopyOnRead MergeV2Checkpoints Pack ReadVariableOp SaveV2 Select "
    "ShardedFilename StaticRegexFullMatch StringJoin"
)
_RESTORING = frozenset(f"{_EITHER} RestoreV2".split())
_SAVING = frozenset(f"{_EITHER} {_SAVE}".split())
# Elements of a constant: of the largest table of code points and then some.
# What is larger is declared, not held: weights are variables.
_MAX_ELEMENTS = 1 << 24
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
    restore, save = _saver_functions(graph, path)
    savers = {restore, save}
    kinds = {restore: _RESTORING, save: _SAVING}
    for function in library.function:
        names = kinds.get(function.signature.name, allowed)
        _check_operations(function.node_def, names, path)
        if function.signature.name == restore:
            _check_reads_its_argument(function, path)
    _check_operations(graph.graph_def.node, allowed, path)
    _check_calls(graph, path)
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


def _saver_functions(graph: Any, path: str) -> tuple[str, str]:
    """Names of the functions that the saver's two nodes call."""
    saver = graph.saver_def
    nodes = {
        node.name: node.attr["f"].func.name
        for node in graph.graph_def.node
        if node.op == "StatefulPartitionedCall"
    }
    names = (saver.restore_op_name, saver.save_tensor_name.partition(":")[0])
    if names[0] == names[1] or not all(nodes.get(name) for name in names):
        _refuse("no functions that save and restore", path)
    return nodes[names[0]], nodes[names[1]]


def _check_reads_its_argument(function: Any, path: str) -> None:
    """Refuses a restoring function that reads other files than it is told."""
    arguments = {x.name for x in function.signature.input_arg}
    for node in function.node_def:
        if node.op == "RestoreV2" and node.input[:1]:
            if node.input[0].partition(":")[0] in arguments:
                continue
        elif node.op != "RestoreV2":
            continue
        _refuse("a restoring function that reads other files", path)


def _check_calls(graph: Any, path: str) -> None:
    """Refuses functions that are missing or that call themselves."""
    calls = {
        function.signature.name: set(_functions_of(function.node_def))
        for function in graph.graph_def.library.function
    }
    called = set(_functions_of(graph.graph_def.node)).union(*calls.values())
    if called - set(calls):
        _refuse(f"calls of functions that are missing: {called}", path)
    # Those that call nothing are taken away, until none is left.
    while calls:
        ends = {name for name, others in calls.items() if not others}
        if not ends:
            _refuse("functions that call themselves", path)
        calls = {k: v - ends for k, v in calls.items() if k not in ends}


def _called(graph: Any) -> Iterator[str]:
    """The name of a function, every time a node refers to it."""
    library = graph.graph_def.library.function
    for nodes in (graph.graph_def.node, *(f.node_def for f in library)):
        yield from _functions_of(nodes)


def _functions_of(nodes: Iterable[Any]) -> Iterator[str]:
    for node in nodes:
        for value in node.attr.values():
            if value.HasField("func"):
                yield value.func.name
            yield from (func.name for func in value.list.func)


def _check_operations(
    nodes: Sequence[Any], allowed: frozenset[str], path: str
) -> None:
    others = sorted({node.op for node in nodes} - allowed)
    if others:
        _refuse(f"the operations {others}", path)
    for node in nodes:
        if "value" not in node.attr:
            continue
        sizes = [x.size for x in node.attr["value"].tensor.tensor_shape.dim]
        if min(sizes, default=1) < 0 or math.prod(sizes) > _MAX_ELEMENTS:
            _refuse(f"a constant of the shape {sizes}", path)


def _check_objects(objects: Any, savers: set[str], path: str) -> None:
    """Refuses objects that loading would do more with than make them.

    Without any, TensorFlow takes an older loader, which runs the restoring
    function before anything can be looked at.
    """
    if not objects.nodes:
        _refuse("no objects", path)
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
