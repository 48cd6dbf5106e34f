"""The SavedModels of a bundle in plain TensorFlow, as servers load them."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.export import read_bundle_manifest
from fastbert_tf.segments import Driver
from tests.segments.segment_test import run_all
from tests.tiny_models import tiny_inputs

_PLAIN = """
import sys
import numpy as np
import tensorflow as tf

bundle, arrays = sys.argv[1:]
given = dict(np.load(arrays))
for name in ("M0", "M1"):
    run = tf.saved_model.load(f"{bundle}/{name}").signatures["serving_default"]
    names = run.structured_input_signature[1]
    outputs = run(**{key: tf.constant(given[key]) for key in names})
    given["hidden_states"] = outputs["hidden_states"].numpy()
np.save(arrays + ".npy", outputs["logits"].numpy())
assert not [x for x in sys.modules if x.split(".")[0] == "fastbert_tf"]
"""


@pytest.mark.slow
def test_segments_run_in_plain_tensorflow(
    bundle: pathlib.Path, drivers: list[Driver], tmp_path: pathlib.Path
) -> None:
    np.savez(tmp_path / "given.npz", **tiny_inputs())
    command = [sys.executable, "-c", _PLAIN, bundle, tmp_path / "given.npz"]
    subprocess.run(command, check=True, cwd=tmp_path)
    expected = run_all(drivers[1], tiny_inputs())[-1]["logits"]
    received = np.load(tmp_path / "given.npz.npy")
    np.testing.assert_allclose(received, expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_signatures_are_those_of_the_manifest(
    bundles: dict[str, pathlib.Path], precision: str
) -> None:
    bundle = bundles[precision]
    for name, expected in read_bundle_manifest(bundle).signatures.items():
        loaded = tf.saved_model.load(str(bundle / name))
        run = loaded.signatures["serving_default"]
        given = run.structured_input_signature[1], run.structured_outputs
        received = {
            part: {
                key: {"dtype": x.dtype.name, "shape": x.shape.as_list()}
                for key, x in specs.items()
            }
            for part, specs in zip(("inputs", "outputs"), given, strict=True)
        }
        assert received == expected


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_signature_takes_any_number_of_rows(
    bundle: pathlib.Path, rows: int
) -> None:
    loaded = tf.saved_model.load(str(bundle / "M0"))
    inputs = {k: tf.constant(v) for k, v in tiny_inputs(rows, 11).items()}
    outputs = loaded.signatures["serving_default"](**inputs)
    assert outputs["hidden_states"].shape == (rows, 11, 12)
