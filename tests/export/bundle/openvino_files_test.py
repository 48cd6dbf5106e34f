"""Bundles whose segments are OpenVINO's."""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pytest

from fastbert_tf import FastBertClassifier, TextPreprocessor, simulate_exits
from fastbert_tf.export import (
    export_segments,
    load_segments,
    read_bundle_manifest,
)
from fastbert_tf.export.bundle.layout import check_format
from fastbert_tf.export.bundle.serving_signatures import SERVING
from fastbert_tf.segments import Driver, PooledDriver
from tests.export.bundle.operations_test import make_manifest_match
from tests.export.bundles import content, wide_model
from tests.export.crashes_test import file_size_limit
from tests.segments.driver_test import assert_equal, settled
from tests.tiny_models import random_model, tiny_inputs

pytest.importorskip("openvino", reason="OpenVINO is not installed")
OPENVINO = "openvino"


@pytest.fixture(scope="module")
def openvino_bundle(
    tmp_path_factory: pytest.TempPathFactory,
    models: list[FastBertClassifier],
    preprocessor: TextPreprocessor,
) -> pathlib.Path:
    path = tmp_path_factory.mktemp("openvino") / "bundle"
    export_segments(models[1], path, preprocessor, format=OPENVINO)
    return path


@pytest.fixture
def copy(openvino_bundle: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A bundle to damage."""
    return shutil.copytree(openvino_bundle, tmp_path / "copy")


@pytest.mark.parametrize("speed", [0.0, 0.1, 0.5, 0.8, 1.0])
def test_drivers_of_a_bundle_equal_the_oracle(
    models: list[FastBertClassifier],
    openvino_bundle: pathlib.Path,
    speed: float,
) -> None:
    inputs = tiny_inputs(64, 11)
    logits = models[1].exit_logits(inputs)
    expected = simulate_exits(logits, speed)
    segments = load_segments(openvino_bundle)
    for driver in (Driver(segments), PooledDriver(segments, 4)):
        result = driver.predict(inputs, speed)
        assert_equal(result, expected, settled(logits, speed))


@pytest.mark.parametrize(
    "precision",
    ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)],
)
def test_segments_hold_their_own_weights_and_little_else(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path, precision: str
) -> None:
    model, path = wide_model(4096), tmp_path / "bundle"
    export_segments(model, path, preprocessor, None, precision, format=OPENVINO)
    own = model.count_params() * (2 if precision == "bfloat16" else 4)
    sizes = [sum(map(len, content(path / x).values())) for x in ("M0", "M1")]
    assert own < sum(sizes) < 1.05 * own
    assert max(sizes) < 0.55 * own


def test_the_manifest_says_what_segments_take(
    openvino_bundle: pathlib.Path,
) -> None:
    manifest = read_bundle_manifest(openvino_bundle)
    assert manifest.format == "openvino"
    assert manifest.saved_models == ["preprocessor"]
    assert sorted(x for x in manifest.files if x.startswith("M1/")) == [
        "M1/openvino_model.bin",
        "M1/openvino_model.xml",
    ]


def test_hidden_states_are_float32_in_either_precision(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    model = random_model(num_hidden_layers=2)
    path = tmp_path / "bundle"
    export_segments(
        model, path, preprocessor, None, "bfloat16", format=OPENVINO
    )
    states = read_bundle_manifest(path).signatures["M1"]["inputs"][
        "hidden_states"
    ]
    assert states == {"dtype": "float32", "shape": [None, None, 12]}
    segments = load_segments(path)
    outputs = segments[0].run(tiny_inputs())
    assert outputs["hidden_states"].dtype == segments[1].precision == "float32"


@pytest.mark.slow
def test_what_serves_is_a_saved_model_all_the_same(
    models: list[FastBertClassifier],
    preprocessor: TextPreprocessor,
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "bundle"
    manifest = export_segments(
        models[1], path, preprocessor, format=OPENVINO, serving=True
    )
    assert manifest.saved_models == ["preprocessor", SERVING]
    expected = models[1](tiny_inputs())
    received = Driver(load_segments(path)).predict(tiny_inputs(), 0.0)
    np.testing.assert_allclose(received.logits, expected, atol=1e-5)


def changed(bundle: pathlib.Path, name: str, old: bytes, new: bytes) -> None:
    """The first `old` of a file replaced, as if it had been exported so."""
    content = (bundle / name).read_bytes()
    assert old in content
    (bundle / name).write_bytes(content.replace(old, new, 1))
    make_manifest_match(bundle)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'type="Erf"', b'type="If"', r"operations \['If of opset1'\]"),
        (b'version="opset1"', b'version="mine"', "'Parameter of mine'"),
        (b"<layers>", b"<layers", "is not a graph of OpenVINO"),
        (b"<net ", b'<net xmlns="x" ', "Received: 0 layers"),
        (b"<layers>", b'<layers xmlns="x">', "Received: 0 layers"),
        (b"<layers>", b"<layers><body/>", r"elements \['body'\]"),
        (b'offset="0"', b'offset="-1"', "cannot be read"),
    ],
)
def test_another_graph_is_refused_by_name(
    copy: pathlib.Path, old: bytes, new: bytes, message: str
) -> None:
    changed(copy, "M1/openvino_model.xml", old, new)
    with pytest.raises(ValueError, match=message) as caught:
        load_segments(copy)
    assert "M1/openvino_model.xml" in str(caught.value)


def test_weights_that_end_too_soon_are_refused(copy: pathlib.Path) -> None:
    path = copy / "M1" / "openvino_model.bin"
    path.write_bytes(path.read_bytes()[:100])
    make_manifest_match(copy)
    with pytest.raises(ValueError, match="M1/openvino_model.xml cannot be"):
        load_segments(copy)


def test_another_segment_is_refused(copy: pathlib.Path) -> None:
    for name in ("openvino_model.xml", "openvino_model.bin"):
        shutil.copy(copy / "M0" / name, copy / "M1" / name)
    make_manifest_match(copy)
    with pytest.raises(ValueError, match="is another segment than"):
        load_segments(copy)


@pytest.mark.parametrize("name", ["openvino_model.xml", "openvino_model.bin"])
def test_one_bit_is_noticed(copy: pathlib.Path, name: str) -> None:
    path = copy / "M0" / name
    damaged = bytearray(path.read_bytes())
    damaged[50] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=f"M0/{name} is damaged"):
        load_segments(copy)


@pytest.mark.parametrize(
    "num_bytes",
    [
        100,
        pytest.param(5_000, marks=pytest.mark.slow),
        pytest.param(300_000, marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_leaves_the_old_bundle_and_nothing_else(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path, num_bytes: int
) -> None:
    """Also where the weights alone do not fit, or the graph alone."""
    model = wide_model(32)
    path = tmp_path / "bundle"
    export_segments(model, path, preprocessor, format=OPENVINO)
    before = content(tmp_path)
    with file_size_limit(num_bytes):
        with pytest.raises(OSError):
            export_segments(model, path, preprocessor, format=OPENVINO)
    assert content(tmp_path) == before
    load_segments(path)


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="`format` must be one of"):
        check_format("onnx")
