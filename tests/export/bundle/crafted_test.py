"""Bundles made to do harm: nothing outside of them is written, ever."""

import contextlib
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from fastbert_tf.export import load_segments, read_bundle_manifest
from fastbert_tf.export.bundle.openvino_files import (
    check_openvino,
    load_openvino_segment,
)
from fastbert_tf.export.bundle.operations import (
    SEGMENT_OPERATIONS,
    check_saved_model,
)
from fastbert_tf.export.bundle.saved_weights import read_saved_weights

from .operations_test import copy, edit, make_manifest_match, saver_of

__all__ = ["copy"]  # A fixture.

GOLDENS = pathlib.Path(__file__).parents[2] / "goldens" / "bundles"
NUM_MUTATIONS = 200


def write_at_restore(graph: Any, prefix: str) -> None:
    """The restoring function writes a file of the attacker's as well."""
    function = saver_of(graph, graph.saver_def.restore_op_name)
    for name, value in (("x", b"x"), ("s", b""), ("t", b"bytes")):
        node = function.node_def.add(op="Const", name=f"evil_{name}")
        node.attr["dtype"].type = tf.string.as_datatype_enum
        tensor = node.attr["value"].tensor
        tensor.dtype = tf.string.as_datatype_enum
        if name != "t":
            tensor.tensor_shape.dim.add(size=1)
        tensor.string_val.append(value)
    node = function.node_def.add(op="Const", name="evil_prefix")
    node.attr["dtype"].type = tf.string.as_datatype_enum
    node.attr["value"].tensor.dtype = tf.string.as_datatype_enum
    node.attr["value"].tensor.string_val.append(prefix.encode())
    node = function.node_def.add(op="SaveV2", name="evil")
    node.input.extend(f"evil_{x}:output:0" for x in ("prefix", "x", "s", "t"))
    node.attr["dtypes"].list.type.append(tf.string.as_datatype_enum)
    function.control_ret["evil"] = "evil"
    function.signature.control_output.append("evil")


@pytest.mark.parametrize("has_objects", [False, True])
def test_a_bundle_cannot_overwrite_a_checkpoint_of_its_user(
    copy: pathlib.Path, tmp_path: pathlib.Path, has_objects: bool
) -> None:
    victim = tmp_path / "victim"

    def attack(graph: Any) -> None:
        write_at_restore(graph, str(victim))
        if not has_objects:
            graph.ClearField("object_graph_def")

    edit(copy / "M0", attack)
    make_manifest_match(copy)
    with pytest.raises(ValueError, match=r"M0/saved_model.pb .*'SaveV2'"):
        load_segments(copy)
    if not has_objects:  # The attack is real: TensorFlow itself falls for it.
        with contextlib.suppress(Exception):
            tf.saved_model.load(str(copy / "M0"))
        assert list(tmp_path.glob("victim*"))


def mutated(data: bytes, seed: int) -> bytes:
    """A few bytes changed, inserted or cut out, or the end cut off."""
    rng = np.random.default_rng(seed)
    changed = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        place = int(rng.integers(len(changed)))
        length = int(rng.integers(1, 9))
        kind = rng.integers(5)
        if kind == 0:
            changed[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            changed[place : place + length] = rng.bytes(length)
        elif kind == 2:
            del changed[place : place + length]
        elif kind == 3:
            changed[place:place] = rng.bytes(length)
        elif len(changed) > 2:
            del changed[max(place, 1) :]
    return bytes(changed)


def test_a_mutated_graph_is_refused_by_name_or_left_alone(
    tmp_path: pathlib.Path,
) -> None:
    data = (GOLDENS / "1" / "M0" / "saved_model.pb").read_bytes()
    path = tmp_path / "saved_model.pb"
    refusals = []
    for seed in range(NUM_MUTATIONS):
        path.write_bytes(mutated(data, seed))
        try:
            check_saved_model(str(tmp_path), SEGMENT_OPERATIONS)
        except ValueError as error:
            refusals.append(str(error))
    assert all(str(path) in refusal for refusal in refusals)
    assert len(refusals) > NUM_MUTATIONS // 4
    assert list(tmp_path.iterdir()) == [path]


def drop_a_part(graph: Any, rng: np.random.Generator) -> None:
    """One field of a random message of the graph is cleared."""
    message = graph
    while True:
        fields = [x for x, _ in message.ListFields()]
        if not fields:
            return
        field = fields[rng.integers(len(fields))]
        value = getattr(message, field.name)
        is_list = hasattr(value, "__len__") and not isinstance(
            value, str | bytes
        )
        if field.message_type is None or rng.random() < 0.2:
            message.ClearField(field.name)
            return
        if is_list:
            keys = list(value) if hasattr(value, "keys") else range(len(value))
            value = value[list(keys)[rng.integers(len(value))]]
            if not hasattr(value, "ListFields"):
                message.ClearField(field.name)
                return
        message = value


def test_a_graph_with_parts_missing_is_refused_by_name_or_left_alone(
    tmp_path: pathlib.Path,
) -> None:
    data = (GOLDENS / "1" / "M0" / "saved_model.pb").read_bytes()
    path = tmp_path / "saved_model.pb"
    for seed in range(NUM_MUTATIONS):
        model = saved_model_pb2.SavedModel.FromString(data)
        drop_a_part(model.meta_graphs[0], np.random.default_rng(seed))
        path.write_bytes(model.SerializeToString())
        with contextlib.suppress(ValueError):
            check_saved_model(str(tmp_path), SEGMENT_OPERATIONS)


@pytest.mark.parametrize(
    "name", ["variables.index", "variables.data-00000-of-00001"]
)
def test_mutated_weights_are_refused_by_name_or_are_floats(
    tmp_path: pathlib.Path, name: str
) -> None:
    golden, config = GOLDENS / "1", read_bundle_manifest(GOLDENS / "1").config
    folder = tmp_path / "variables"
    folder.mkdir()
    for path in (golden / "M0" / "variables").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    data = (folder / name).read_bytes()
    given = str(tmp_path), 0, 0, config, "float32"
    expected = read_saved_weights(*given)
    refusals = []
    for seed in range(NUM_MUTATIONS):
        (folder / name).write_bytes(mutated(data, seed))
        try:
            assert read_saved_weights(*given).keys() == expected.keys()
        except ValueError as error:
            refusals.append(str(error))
    assert all(str(tmp_path) in refusal for refusal in refusals)
    assert len(refusals) > NUM_MUTATIONS // 4


@pytest.mark.parametrize(
    ("name", "count"),
    [("openvino_model.xml", NUM_MUTATIONS), ("openvino_model.bin", 20)],
)
def test_a_mutated_openvino_graph_is_refused_by_name_or_left_alone(
    tmp_path: pathlib.Path, name: str, count: int
) -> None:
    pytest.importorskip("openvino")
    golden, config = GOLDENS / "2", read_bundle_manifest(GOLDENS / "2").config
    for path in (golden / "M0").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = (tmp_path / name).read_bytes()
    refusals = []
    for seed in range(count):
        (tmp_path / name).write_bytes(mutated(data, seed))
        try:
            check_openvino(str(tmp_path))
            load_openvino_segment(str(tmp_path), 0, 0, config, "float32")
        except ValueError as error:
            refusals.append(str(error))
    path = str(tmp_path / "openvino_model.xml")
    assert all(path in refusal for refusal in refusals)
    assert all(len(refusal) < 2_000 for refusal in refusals)
