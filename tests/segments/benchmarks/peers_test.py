import ast
import os
import pathlib
import tempfile

import numpy as np
import pytest

from fastbert_tf import FastBertClassifier
from fastbert_tf.segments.benchmarks import (
    official_loop,
    onnx_export,
    peers,
    torch_network,
)
from fastbert_tf.segments.benchmarks.peers import PEERS, build_peer

from ...tiny_models import pad, random_model, tiny_config, tiny_inputs
from ...tolerances import tolerance

PACKAGES = {
    "torch": ("torch", "transformers"),
    "onnxruntime": ("torch", "onnx", "onnxscript", "onnxruntime"),
    "openvino": ("torch", "onnx", "onnxscript", "openvino"),
}
# An export takes many seconds.
FLOAT32 = [
    "torch float32",
    pytest.param("onnxruntime float32", marks=pytest.mark.slow),
    pytest.param("openvino float32", marks=pytest.mark.slow),
]
OPTIONAL = {name for names in PACKAGES.values() for name in names}
each_name = pytest.mark.parametrize("name", PEERS)


def skip_without(name):
    for package in PACKAGES[name.split()[0]]:
        pytest.importorskip(package, reason=f"{name} needs {package}")


@pytest.fixture(scope="module")
def model():
    return random_model(5, num_hidden_layers=2)


@pytest.fixture(scope="module", params=FLOAT32)
def peer(request, model):
    """A peer of each runtime, built once."""
    skip_without(request.param)
    return build_peer(request.param, model, num_threads=1)


@pytest.mark.parametrize(("rows", "positions"), [(3, 7), (5, 11), (1, 2)])
def test_any_size_gives_the_logits_of_the_teacher(peer, model, rows, positions):
    inputs = tiny_inputs(rows, positions)
    received = peer(inputs)
    assert type(received) is np.ndarray
    assert received.dtype == np.float32
    np.testing.assert_allclose(received, model(inputs), **tolerance())


def test_padding_changes_nothing(peer):
    inputs = tiny_inputs()
    one, other = peer(inputs), peer(pad(inputs, 4))
    np.testing.assert_allclose(one, other, **tolerance())


def test_padding_may_lie_between_tokens(peer, model):
    inputs = tiny_inputs()
    inputs["padding_mask"][:, 1] = 0
    np.testing.assert_allclose(peer(inputs), model(inputs), **tolerance())


def test_an_answer_is_not_overwritten_by_the_next(peer):
    first = peer(tiny_inputs())
    kept = first.copy()
    peer(tiny_inputs(seed=1))
    np.testing.assert_array_equal(first, kept)


def test_float32_is_what_it_computes_in(peer):
    assert peer.name in PEERS
    assert peer.precision == "float32"


@pytest.mark.parametrize(
    "runtime", ["torch", pytest.param("openvino", marks=pytest.mark.slow)]
)
def test_bfloat16_is_close_to_float32_and_its_precision_told(runtime):
    skip_without(runtime)
    # Initialized as for training, so that values have a realistic size.
    model = FastBertClassifier(tiny_config(num_hidden_layers=2))
    half = build_peer(f"{runtime} bfloat16", model)
    inputs = tiny_inputs(6)
    received, expected = half(inputs), model(inputs)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        received / scale, expected / scale, **tolerance("bfloat16")
    )
    is_rounded = np.abs(received - expected).max() > 1e-4 * scale
    assert half.precision == ("bfloat16" if is_rounded else "float32")


@pytest.mark.slow
@pytest.mark.parametrize("hidden_act", ["gelu_new", "relu"])
@pytest.mark.parametrize("name", FLOAT32)
def test_other_activations_give_the_logits_of_the_teacher(name, hidden_act):
    skip_without(name)
    model = random_model(5, num_hidden_layers=2, hidden_act=hidden_act)
    received = build_peer(name, model)(tiny_inputs())
    np.testing.assert_allclose(received, model(tiny_inputs()), **tolerance())


@pytest.mark.slow
@each_name
def test_files_of_the_export_are_removed(name, model, tmp_path, monkeypatch):
    skip_without(name)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    peer = build_peer(name, model)
    assert os.listdir(tmp_path) == []
    assert peer(tiny_inputs()).shape == (3, 5)


def test_torch_computes_on_the_threads_asked_for_and_puts_them_back(model):
    skip_without("torch")
    torch = pytest.importorskip("torch")
    before, seen = torch.get_num_threads(), []
    peer = build_peer("torch float32", model, num_threads=before + 1)
    hook = torch.nn.modules.module.register_module_forward_hook(
        lambda *_: seen.append(torch.get_num_threads())
    )
    with hook:
        peer(tiny_inputs())
    assert set(seen) == {before + 1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["torch", "torch float16", "", None])
def test_an_unknown_name_is_refused(name, model):
    with pytest.raises(ValueError, match=r"one of \['torch float32', .*Rec"):
        build_peer(name, model)


@each_name
def test_no_number_of_threads_is_refused(name, model):
    with pytest.raises(ValueError, match="num_threads=0"):
        build_peer(name, model, num_threads=0)


@pytest.mark.parametrize(
    "module", [official_loop, onnx_export, peers, torch_network]
)
def test_a_module_is_imported_without_the_optional_packages(module):
    tree = ast.parse(pathlib.Path(module.__file__).read_text("utf-8"))
    roots = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and not node.level:
            roots.add(node.module.split(".")[0])
    assert not roots & OPTIONAL
