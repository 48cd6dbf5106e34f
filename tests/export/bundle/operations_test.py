"""A SavedModel that does more than compute is refused before it is loaded."""

import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from fastbert_tf.export import load_segments, read_bundle_manifest
from fastbert_tf.export.bundle.manifest import describe_file
from fastbert_tf.export.bundle.operations import (
    SEGMENT_OPERATIONS,
    SERVING_OPERATIONS,
    TEXT_OPERATIONS,
    check_saved_model,
)
from fastbert_tf.export.bundle.serving_signatures import SERVING
from tests.export.bundle.manifest_test import rewrite

Attack = Callable[[str], Any]


@pytest.fixture
def copy(bundle: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A bundle to damage."""
    return shutil.copytree(bundle, tmp_path / "copy")


def make_manifest_match(bundle: pathlib.Path) -> None:
    files = {
        x: describe_file(bundle / x) for x in read_bundle_manifest(bundle).files
    }
    rewrite(bundle, files=files)


def with_python(canary: str) -> tf.Tensor:
    def touch(x: Any) -> Any:
        pathlib.Path(canary).touch()
        return x

    return tf.py_function(touch, [1.0], tf.float32)


def with_numpy(canary: str) -> tf.Tensor:
    def touch(x: Any) -> Any:
        pathlib.Path(canary).touch()
        return x

    return tf.numpy_function(touch, [1.0], tf.float32)


ATTACKS = {
    "EagerPyFunc": with_python,
    "PyFunc": with_numpy,
    "WriteFile": lambda path: tf.io.write_file(path, "x"),
    "ReadFile": lambda _: tf.io.read_file("/etc/passwd"),
    "MatchingFiles": lambda _: tf.io.matching_files("/*"),
    "PrintV2": lambda path: tf.print("x", output_stream=f"file://{path}"),
    "SaveV2": lambda path: tf.raw_ops.SaveV2(
        prefix=path,
        tensor_names=["x"],
        shape_and_slices=[""],
        tensors=[tf.constant(1.0)],
    ),
    "RestoreV2": lambda path: tf.raw_ops.RestoreV2(
        prefix=path,
        tensor_names=["x"],
        shape_and_slices=[""],
        dtypes=[tf.float32],
    )[0],
}
WRITING = ("EagerPyFunc", "PyFunc", "WriteFile", "PrintV2", "SaveV2")


def plant(folder: pathlib.Path, attack: Attack, canary: pathlib.Path) -> None:
    """The SavedModel of M1, which also does something else when called."""
    loaded = tf.saved_model.load(str(folder))
    network = loaded.network_float32

    @tf.function(input_signature=network.input_signature)
    def attacked(*arguments: Any) -> Any:
        done = attack(str(canary))
        done = [done] if done is not None else []
        with tf.control_dependencies(done):
            outputs = network(*arguments)
            return {name: tf.identity(x) for name, x in outputs.items()}

    module = tf.Module()
    module.weights = list(loaded.weights)
    module.network_float32 = attacked
    shutil.rmtree(folder)
    tf.saved_model.save(module, str(folder))


@pytest.mark.parametrize("name", ATTACKS)
def test_operations_on_files_and_python_are_refused_and_do_not_run(
    copy: pathlib.Path, tmp_path: pathlib.Path, name: str
) -> None:
    canary = tmp_path / "canary"
    plant(copy / "M1", ATTACKS[name], canary)
    make_manifest_match(copy)
    with pytest.raises(ValueError, match=rf"M1/saved_model.pb .*'{name}'"):
        load_segments(copy)
    assert not list(tmp_path.glob("canary*"))


@pytest.mark.parametrize("name", WRITING)
def test_these_operations_would_have_run_in_a_model_server(
    copy: pathlib.Path, tmp_path: pathlib.Path, name: str
) -> None:
    """The test above could fail: who runs the graph finds the canary."""
    plant(copy / "M1", ATTACKS[name], tmp_path / "canary")
    loaded = tf.saved_model.load(str(copy / "M1"))
    network = loaded.network_float32
    specs = network.input_signature
    network(*(tf.ones([x or 1 for x in s.shape], s.dtype) for s in specs))
    assert list(tmp_path.glob("canary*"))


def edit(folder: pathlib.Path, change: Callable[[Any], Any]) -> None:
    """Changes the graph in a SavedModel's file."""
    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())


def saver_of(graph: Any, name: str) -> Any:
    """The function that one of the saver's two nodes calls."""
    (called,) = (
        node.attr["f"].func.name
        for node in graph.graph_def.node
        if node.name == name.partition(":")[0]
    )
    (function,) = (
        x
        for x in graph.graph_def.library.function
        if x.signature.name == called
    )
    return function


def saver_function(graph: Any) -> str:
    return saver_of(graph, graph.saver_def.save_tensor_name).signature.name


def clear_objects(graph: Any) -> None:
    graph.ClearField("object_graph_def")


def clear_saver(graph: Any) -> None:
    graph.ClearField("saver_def")


def remove_function(graph: Any) -> None:
    functions = graph.graph_def.library.function
    places = [
        i for i, x in enumerate(functions) if "network" in x.signature.name
    ]
    del functions[places[0]]


def call_itself(graph: Any) -> None:
    functions = graph.graph_def.library.function
    function = next(x for x in functions if "network" in x.signature.name)
    node = function.node_def.add(op="PartitionedCall", name="again")
    node.attr["f"].func.name = function.signature.name


def hold_gigabytes(graph: Any) -> None:
    node = graph.graph_def.node.add(op="Const", name="large")
    tensor = node.attr["value"].tensor
    tensor.dtype = tf.float32.as_datatype_enum
    tensor.tensor_shape.dim.add(size=800_000_000)
    tensor.float_val.append(1.0)


def restore_another_file(graph: Any) -> None:
    function = saver_of(graph, graph.saver_def.restore_op_name)
    for node in function.node_def:
        if node.op == "RestoreV2":
            node.input[0] = "elsewhere:output:0"


def call_saver(graph: Any) -> None:
    functions = graph.graph_def.library.function  # In no certain order.
    network = next(x for x in functions if "network" in x.signature.name)
    node = network.node_def.add()
    node.op, node.name = "StatefulPartitionedCall", "quietly"
    node.attr["f"].func.name = saver_function(graph)


def name_saver(graph: Any) -> None:
    objects = graph.object_graph_def
    name = saver_function(graph)
    objects.concrete_functions[name].bound_inputs.append(0)


def hide_in_saver(graph: Any) -> None:
    function = saver_of(graph, graph.saver_def.save_tensor_name)
    node = function.node_def.add()
    node.op, node.name = "WriteFile", "quietly"


def add_asset(graph: Any) -> None:
    graph.asset_file_def.add().filename = "../../vocab.txt"


def add_resource(graph: Any) -> None:
    graph.object_graph_def.nodes.add().resource.device = ""


def add_class(graph: Any) -> None:
    graph.object_graph_def.nodes[0].user_object.identifier = "_tf_keras_layer"


def register_class(graph: Any) -> None:
    graph.object_graph_def.nodes[0].registered_name = "Custom>Lambda"


def add_gradient(graph: Any) -> None:
    graph.graph_def.library.gradient.add().function_name = "f"


CHANGES = {
    call_saver: "a call of the functions that save and restore",
    name_saver: "save and restore as methods",
    hide_in_saver: "WriteFile",
    add_asset: "assets",
    add_resource: "kind resource",
    add_class: "'_tf_keras_layer'",
    register_class: "'Custom>Lambda'",
    add_gradient: "gradients",
    clear_objects: "no objects",
    clear_saver: "no functions that save and restore",
    remove_function: "functions that are missing",
    call_itself: "functions that call themselves",
    hold_gigabytes: r"a constant of the shape \[800000000\]",
    restore_another_file: "reads other files",
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_ways_to_run_something_are_refused(
    copy: pathlib.Path, change: Callable[[Any], Any]
) -> None:
    edit(copy / "M0", change)
    make_manifest_match(copy)
    with pytest.raises(ValueError, match=CHANGES[change]):
        load_segments(copy)


def test_a_second_graph_is_refused(copy: pathlib.Path) -> None:
    path = copy / "M0" / "saved_model.pb"
    path.write_bytes(path.read_bytes() * 2)
    with pytest.raises(ValueError, match="2 graphs"):
        check_saved_model(str(copy / "M0"), SEGMENT_OPERATIONS)


def test_a_pickle_in_disguise_is_refused(copy: pathlib.Path) -> None:
    (copy / "M0" / "saved_model.pb").write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(ValueError, match="is not a SavedModel"):
        check_saved_model(str(copy / "M0"), SEGMENT_OPERATIONS)


def test_what_exports_write_passes(bundles: dict[str, pathlib.Path]) -> None:
    for bundle in bundles.values():
        check_saved_model(str(bundle / "M0"), SEGMENT_OPERATIONS)
        check_saved_model(str(bundle / "preprocessor"), TEXT_OPERATIONS)


def test_what_serves_has_no_operation_but_these(
    served_bundle: pathlib.Path,
) -> None:
    check_saved_model(str(served_bundle / SERVING), SERVING_OPERATIONS)


def test_no_operation_allowed_is_stateful_but_for_calls_and_variables() -> None:
    """Operations on files, the network, Python or devices are stateful."""
    from tensorflow.python.framework import op_def_registry

    names = SERVING_OPERATIONS
    stateful = {x for x in names if op_def_registry.get(x).is_stateful}
    assert stateful == {
        "Assert",
        "If",
        "ReadVariableOp",
        "StatefulPartitionedCall",
        "VarHandleOp",
    }
