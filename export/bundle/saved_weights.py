"""The weights of a segment's SavedModel, read as data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import trackable_object_graph_pb2

from fastbert_tf import FastBertConfig
from fastbert_tf.checkpoints import EXIT_PREFIX, listed, variable_shapes

_VARIABLES = "variables/variables"
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"

Specs = dict[str, tuple[tuple[int, ...], str]]


def read_saved_weights(
    folder: str,
    first_block: int,
    index: int,
    config: FastBertConfig,
    precision: str,
) -> dict[str, np.ndarray]:
    """The weights in the SavedModel of a segment; its graph is not touched.

    Names, shapes and types are compared with what the configuration asks for
    before a value is read.

    Args:
        folder: of a SavedModel that `save_segment` wrote.
        first_block, index: int, the block it begins with and the exit it
            ends with.
        config: `FastBertConfig` of the whole network.
        precision: str, of the weights.

    Returns:
        float32 arrays by the names of `FastBertClassifier.named_weights()`.

    Raises:
        ValueError: the file is damaged, or the weights are not those of such
            a segment.
    """
    path = os.path.join(folder, _VARIABLES)
    try:
        reader = tf.train.load_checkpoint(path)
        keys = _keys(reader, path)
        expected = _expected(first_block, index, config, precision)
        _check(_specs(reader, keys), expected, folder)
        tensors = {name: reader.get_tensor(key) for name, key in keys.items()}
    # TensorFlow's reader translates some of its errors, not all.
    except (tf.errors.OpError, RuntimeError, IndexError) as error:
        reason = getattr(error, "message", str(error))
        raise ValueError(
            f"{path}.index and its data cannot be read: {reason}. Expected: "
            "the weights of a segment. Restore the files, or export the model "
            "again."
        ) from error
    return {name: np.asarray(x, np.float32) for name, x in tensors.items()}


def _keys(reader: Any, path: str) -> dict[str, str]:
    """The name of every weight to its key in the file."""
    objects = trackable_object_graph_pb2.TrackableObjectGraph()
    shapes = reader.get_variable_to_shape_map()
    if shapes.get(_OBJECTS) != []:
        _refuse(path, "no list of its objects")
    try:
        objects.ParseFromString(reader.get_tensor(_OBJECTS))
    except (DecodeError, TypeError):
        _refuse(path, "a list of its objects that is damaged")
    saved = [x for node in objects.nodes for x in node.attributes]
    keys = {x.full_name: x.checkpoint_key for x in saved}
    if len(keys) != len(saved) or {*keys.values(), _OBJECTS} != set(shapes):
        _refuse(path, "names that are not those of its tensors")
    return keys


def _specs(reader: Any, keys: Mapping[str, str]) -> Specs:
    shapes = reader.get_variable_to_shape_map()
    dtypes = reader.get_variable_to_dtype_map()
    return {
        name: (tuple(shapes[key]), dtypes[key].name)
        for name, key in keys.items()
    }


def _expected(
    first_block: int, index: int, config: FastBertConfig, precision: str
) -> Specs:
    prefixes = [f"block_{i}" for i in range(first_block, index + 1)]
    prefixes += [f"{EXIT_PREFIX}{index}"]
    prefixes += ["embeddings"] if first_block == 0 else []
    shapes = variable_shapes(config, with_exit_classifiers=True)
    return {
        name: (shape, precision)
        for name, shape in shapes.items()
        if name.partition("/")[0] in prefixes
    }


def _check(received: Specs, expected: Specs, folder: str) -> None:
    if received != expected:
        different = dict(received.items() ^ expected.items())
        raise ValueError(
            f"{folder} holds other weights than its manifest says. Received "
            f"or expected differently: {listed(different)}. Export the model "
            "again."
        )


def _refuse(path: str, found: str) -> None:
    raise ValueError(
        f"{path}.index is not that of a segment. Received: {found}. Expected: "
        "what `export_segments` writes. Export the model again."
    )
