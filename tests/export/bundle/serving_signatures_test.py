"""The signatures, as TensorFlow Serving reads them from the file."""

import pathlib
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from fastbert_tf.export import read_bundle_manifest
from fastbert_tf.export.bundle.serving_signatures import (
    SERVING,
    serving_signatures,
)


def in_file(bundle: pathlib.Path) -> Any:
    """Name to `SignatureDef`, without TensorFlow's own."""
    data = (bundle / SERVING / "saved_model.pb").read_bytes()
    model = saved_model_pb2.SavedModel.FromString(data)
    (graph,) = model.meta_graphs
    assert list(graph.meta_info_def.tags) == ["serve"]
    found = dict(graph.signature_def)
    del found["__saved_model_init_op"]
    return found


def described(tensors: Any) -> dict[str, Any]:
    return {
        name: {
            "dtype": tf.as_dtype(tensor.dtype).name,
            "shape": tf.TensorShape(tensor.tensor_shape).as_list(),
        }
        for name, tensor in tensors.items()
    }


def test_signatures_are_those_of_the_manifest(
    served_bundle: pathlib.Path,
) -> None:
    received = {
        name: {
            "inputs": described(signature.inputs),
            "outputs": described(signature.outputs),
        }
        for name, signature in in_file(served_bundle).items()
    }
    assert received == read_bundle_manifest(served_bundle).signatures[SERVING]


def test_classify_is_for_the_call_of_that_name(
    served_bundle: pathlib.Path,
) -> None:
    methods = {k: v.method_name for k, v in in_file(served_bundle).items()}
    assert methods.pop("classify") == "tensorflow/serving/classify"
    assert set(methods.values()) == {"tensorflow/serving/predict"}


@pytest.mark.parametrize("pairs", [True, False])
def test_a_bundle_that_knows_has_no_signature_of_pairs_beside(
    pairs: bool,
) -> None:
    signatures = serving_signatures(5, pairs)
    assert set(signatures) == {
        "classify",
        "serving_default",
        "tokens",
        "tokens_with_speed",
        "with_speed",
    }
    takes_second = "text_b" in signatures["serving_default"]["inputs"]
    assert takes_second == pairs
