"""Bundles of every released format version stay readable."""

import pathlib
import shutil

import numpy as np
import pytest

from fastbert_tf import export, simulate_exits
from fastbert_tf.export import (
    load_preprocessor,
    load_segments,
    read_bundle_manifest,
)
from fastbert_tf.segments import Driver

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens" / "bundles"
VERSIONS = ["1", "2"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_golden_bundle_gives_the_answers_written_beside_it(
    version: str,
) -> None:
    bundle = GOLDENS / version
    if read_bundle_manifest(bundle).format == "openvino":
        pytest.importorskip("openvino", reason="OpenVINO is not installed")
    with np.load(GOLDENS / f"{version}.npz") as file:
        texts, logits = file["texts"].tolist(), file["exit_logits"]
    driver = Driver(load_segments(bundle))
    inputs = load_preprocessor(bundle)(texts)
    for speed in (0.0, read_bundle_manifest(bundle).usage.speed):
        expected = simulate_exits(logits, speed)
        result = driver.predict(inputs, speed)
        np.testing.assert_allclose(result.logits, expected.logits, atol=1e-5)
        np.testing.assert_array_equal(result.exit_index, expected.exit_index)


@pytest.mark.parametrize("version", VERSIONS)
def test_labels_and_usage_are_kept(version: str) -> None:
    manifest = read_bundle_manifest(GOLDENS / version)
    assert manifest.labels == ("1", "2", "3", "4", "fünf")
    assert manifest.usage.pairs is False


@pytest.mark.parametrize("version", VERSIONS)
def test_a_golden_stays_small(version: str) -> None:
    files = [x for x in (GOLDENS / version).rglob("*") if x.is_file()]
    assert sum(path.stat().st_size for path in files) < 700_000


def test_a_golden_is_read_from_anywhere(tmp_path: pathlib.Path) -> None:
    copied = shutil.copytree(GOLDENS / "1", tmp_path / "else where")
    assert len(load_segments(copied)) == 2


def test_the_manifest_reader_of_0_1_is_still_there() -> None:
    assert export.read_manifest is export.read_bundle_manifest
