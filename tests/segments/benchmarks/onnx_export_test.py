import collections
import logging
import os

import pytest

from fastbert_tf.segments.benchmarks.onnx_export import fuse_onnx, write_onnx

from ...tiny_models import random_model

pytest.importorskip("torch", reason="PyTorch exports the file")
onnx = pytest.importorskip("onnx", reason="onnx reads the file")
pytest.importorskip("onnxscript", reason="PyTorch exports by onnxscript")

# An export takes many seconds.
pytestmark = pytest.mark.slow
NUM_BLOCKS = 2


@pytest.fixture(
    scope="module",
    params=["gelu", "gelu_new"],
)
def model(request):
    return random_model(
        5, num_hidden_layers=NUM_BLOCKS, hidden_act=request.param
    )


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("onnx") / "model.onnx")
    write_onnx(model, path)
    return path


def num_operators(path):
    nodes = onnx.load(path, load_external_data=False).graph.node
    return collections.Counter(node.op_type for node in nodes)


def test_rows_and_positions_of_every_input_are_free(path):
    graph = onnx.load(path, load_external_data=False).graph
    inputs = {x.name: x.type.tensor_type for x in graph.input}
    assert list(inputs) == ["token_ids", "token_type_ids", "padding_mask"]
    for tensor in inputs.values():
        assert tensor.elem_type == onnx.TensorProto.INT32
        assert all(axis.dim_param for axis in tensor.shape.dim)


def test_weights_lie_in_a_file_beside(path):
    assert os.path.exists(f"{path}.data")
    graph = onnx.load(path, load_external_data=False).graph
    kept = [x for x in graph.initializer if not x.external_data]
    assert all(len(x.raw_data) < 1024 for x in kept)


def test_every_attention_gelu_and_layer_norm_is_fused(model, path, tmp_path):
    pytest.importorskip("onnxruntime", reason="its optimizer is tested")
    fused_path = str(tmp_path / "fused.onnx")
    fuse_onnx(model, path, fused_path)
    counts = num_operators(fused_path)
    assert counts["Attention"] == NUM_BLOCKS
    is_erf = model.config.hidden_act == "gelu"
    assert counts["BiasGelu" if is_erf else "FastGelu"] == NUM_BLOCKS
    assert counts["SkipLayerNormalization"] == 2 * NUM_BLOCKS
    assert os.path.exists(f"{fused_path}.data")


def test_the_log_of_pytorch_is_as_talkative_as_before(path):
    assert logging.getLogger("torch.onnx").level == logging.NOTSET
