import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from fastbert_tf import (
    ExitResult,
    FastBertClassifier,
    TextPreprocessor,
    simulate_exits,
)
from fastbert_tf.export import (
    export_segments,
    load_preprocessor,
    load_segments,
)
from fastbert_tf.segments import (
    Driver,
    PooledDriver,
    Segment,
    SegmentPlan,
    build_segments,
)
from tests.segments.driver_test import assert_equal, settled
from tests.segments.segment_test import run_all
from tests.tiny_models import (
    NUM_BLOCKS,
    each_unusual_network,
    random_model,
    tiny_inputs,
)
from tests.tiny_texts import PAIRS, TEXTS

Bundles = dict[str, pathlib.Path]
Models = list[FastBertClassifier]
PRECISIONS = ["float32", "bfloat16"]


@pytest.fixture(scope="module")
def loaded(bundle: pathlib.Path) -> list[Segment]:
    return load_segments(bundle)


def assert_same_bits(one: ExitResult, other: ExitResult) -> None:
    np.testing.assert_array_equal(one.exit_index, other.exit_index)
    np.testing.assert_array_equal(one.logits, other.logits)
    np.testing.assert_array_equal(one.uncertainty, other.uncertainty)


@pytest.mark.parametrize("speed", [0.0, 0.1, 0.5, 0.8, 1.0])
def test_drivers_of_a_bundle_equal_the_oracle(
    models: Models, loaded: list[Segment], speed: float
) -> None:
    inputs = tiny_inputs(64, 11)
    logits = models[1].exit_logits(inputs)
    expected = simulate_exits(logits, speed)
    for driver in (Driver(loaded), PooledDriver(loaded, 4)):
        result = driver.predict(inputs, speed)
        assert_equal(result, expected, settled(logits, speed))


@pytest.mark.parametrize(
    ("precision", "has_bfloat16"),
    [
        ("float32", True),
        ("bfloat16", False),
        pytest.param("float32", False, marks=pytest.mark.slow),
        pytest.param("bfloat16", True, marks=pytest.mark.slow),
    ],
)
def test_a_bundle_equals_the_segments_in_memory_bit_for_bit(
    models: Models,
    bundles: Bundles,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    has_bfloat16: bool,
) -> None:
    """Also on the other kind of processor than it was made on."""
    monkeypatch.setattr(
        "fastbert_tf.segments.backends.precision.has_bfloat16",
        lambda: has_bfloat16,
    )
    ours = Driver(load_segments(bundles[precision]))
    theirs = Driver(build_segments(models[1], precision))
    for speed in (0.0, 0.5):
        one, other = (x.predict(tiny_inputs(16), speed) for x in (ours, theirs))
        assert_same_bits(one, other)


def test_a_loaded_segment_gives_what_it_gave(
    loaded: list[Segment], drivers: list[Driver]
) -> None:
    expected = run_all(drivers[1], tiny_inputs())
    received = run_all(Driver(loaded), tiny_inputs())
    for one, other in zip(received, expected, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            np.testing.assert_array_equal(one[name], value)


def test_a_loaded_segment_runs_on_no_rows_and_is_traced_once(
    loaded: list[Segment],
) -> None:
    driver = Driver(loaded)
    for rows in (0, 1, 7):
        for speed in (0.0, 0.5):
            assert len(driver.predict(tiny_inputs(rows), speed)) == rows
    first = loaded[0]
    for function in (first.function, first.advance_function):
        assert function.experimental_get_tracing_count() == 1


def test_weights_are_constants_of_the_graph(loaded: list[Segment]) -> None:
    for segment in loaded:
        assert not segment.function.get_concrete_function().captured_inputs


def test_a_plan_of_fewer_exits_survives(
    models: Models, preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    plan = SegmentPlan(NUM_BLOCKS, (1, 3))
    export_segments(models[0], tmp_path / "bundle", preprocessor, plan=plan)
    segments = load_segments(tmp_path / "bundle")
    assert [segment.name for segment in segments] == ["M0-M1", "M2-M3"]
    expected = Driver(build_segments(models[0], plan=plan))
    for speed in (0.0, 0.5):
        result = Driver(segments).predict(tiny_inputs(16), speed)
        assert_same_bits(result, expected.predict(tiny_inputs(16), speed))


def test_a_bundle_that_also_serves_gives_the_same_segments(
    served_model: FastBertClassifier, served_bundle: pathlib.Path
) -> None:
    driver = Driver(load_segments(served_bundle))
    expected = Driver(build_segments(served_model))
    one, other = (x.predict(tiny_inputs(16), 0.5) for x in (driver, expected))
    assert_same_bits(one, other)


@each_unusual_network
def test_unusual_networks_survive(
    preprocessor: TextPreprocessor,
    tmp_path: pathlib.Path,
    pooling: str,
    activation: str,
) -> None:
    model = random_model(
        num_hidden_layers=1, classifier_pooling=pooling, hidden_act=activation
    )
    export_segments(model, tmp_path / "bundle", preprocessor)
    driver = Driver(load_segments(tmp_path / "bundle"))
    expected = Driver(build_segments(model)).predict(tiny_inputs(), 0.5)
    assert_same_bits(driver.predict(tiny_inputs(), 0.5), expected)


@pytest.mark.parametrize("pairs", [None, PAIRS])
def test_a_loaded_preprocessor_gives_the_same_ids(
    bundle: pathlib.Path, preprocessor: TextPreprocessor, pairs: Any
) -> None:
    loaded = load_preprocessor(bundle)
    assert loaded.config() == preprocessor.config()
    received, expected = loaded(TEXTS, pairs), preprocessor(TEXTS, pairs)
    for name, value in expected.items():
        np.testing.assert_array_equal(received[name], value)


_FRESH = """
import sys
import tensorflow as tf
from fastbert_tf import export, segments

def refuse(*_, **__):
    raise AssertionError("a graph of the bundle was loaded")

tf.saved_model.load = refuse
driver = segments.Driver(export.load_segments(sys.argv[1]))
inputs = export.load_preprocessor(sys.argv[1])(["good film", ""])
print(driver.predict(inputs, 0.0).labels.tolist())
"""


@pytest.mark.slow
def test_texts_are_answered_without_loading_a_graph(
    bundle: pathlib.Path, drivers: list[Driver], preprocessor: TextPreprocessor
) -> None:
    command = [sys.executable, "-c", _FRESH, str(bundle)]
    printed = subprocess.run(command, capture_output=True, text=True).stdout
    expected = drivers[1].predict(preprocessor(["good film", ""]), 0.0)
    assert printed.strip() == str(expected.labels.tolist())
