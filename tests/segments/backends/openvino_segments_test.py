"""OpenVINO's segments behind the same drivers."""

from __future__ import annotations

import functools
import importlib.util
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastbert_tf import FastBertClassifier, simulate_exits
from fastbert_tf.segments import (
    Driver,
    PooledDriver,
    Segment,
    SegmentPlan,
    build_segments,
)
from fastbert_tf.segments.backends.openvino_segments import (
    OpenVinoSegment,
    build_openvino_segments,
    convert_segment,
    halve_weights,
    openvino_parts,
)
from fastbert_tf.segments.engine import PooledEngine
from tests.segments.driver_test import assert_equal, settled
from tests.segments.segment_test import run_all
from tests.tiny_models import (
    NUM_BLOCKS,
    each_unusual_network,
    random_model,
    tiny_inputs,
)

pytest.importorskip("openvino", reason="OpenVINO is not installed")


@pytest.fixture(scope="module")
def segments(models: list[FastBertClassifier]) -> list[Segment]:
    return build_openvino_segments(models[0])


@pytest.mark.parametrize("speed", [0.0, 0.1, 0.5, 0.8, 1.0])
def test_the_same_drivers_run_them_and_equal_the_oracle(
    models: list[FastBertClassifier], segments: list[Segment], speed: float
) -> None:
    inputs = tiny_inputs(64, 11)
    logits = models[0].exit_logits(inputs)
    expected = simulate_exits(logits, speed)
    for driver in (Driver(segments), PooledDriver(segments, 4)):
        result = driver.predict(inputs, speed)
        assert_equal(result, expected, settled(logits, speed))


def test_the_engine_runs_them(
    models: list[FastBertClassifier], segments: list[Segment]
) -> None:
    inputs = tiny_inputs(9, 11)
    logits = models[0].exit_logits(inputs)
    with PooledEngine(segments, max_batch_size=4) as engine:
        engine.warm_up(11)
        result = engine.submit(inputs, 0.5, None).result().result
    assert_equal(result, simulate_exits(logits, 0.5), settled(logits, 0.5))


@pytest.mark.parametrize("rows", [0, 1, 6])
def test_they_give_what_segments_of_tensorflow_give(
    models: list[FastBertClassifier], segments: list[Segment], rows: int
) -> None:
    inputs = tiny_inputs(rows)
    received = run_all(Driver(segments), inputs)
    expected = run_all(Driver(build_segments(models[0])), inputs)
    for one, other in zip(received, expected, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            assert one[name].dtype == value.dtype
            np.testing.assert_allclose(one[name], value, atol=1e-5)


def test_fused_blocks_are_one_segment(
    models: list[FastBertClassifier],
) -> None:
    plan = SegmentPlan(NUM_BLOCKS, (1, 3))
    fused = build_openvino_segments(models[0], plan=plan)
    assert [segment.name for segment in fused] == ["M0-M1", "M2-M3"]
    expected = Driver(build_segments(models[0], plan=plan))
    result = Driver(fused).predict(tiny_inputs(), 0.5)
    np.testing.assert_allclose(
        result.logits, expected.predict(tiny_inputs(), 0.5).logits, atol=1e-5
    )


@each_unusual_network
def test_unusual_networks_are_converted(pooling: str, activation: str) -> None:
    model = random_model(
        num_hidden_layers=1, classifier_pooling=pooling, hidden_act=activation
    )
    received = Driver(build_openvino_segments(model)).predict(tiny_inputs(), 0)
    expected = Driver(build_segments(model)).predict(tiny_inputs(), 0)
    np.testing.assert_allclose(received.logits, expected.logits, atol=1e-5)


@pytest.mark.slow
def test_bfloat16_answers_to_its_rounding(
    models: list[FastBertClassifier],
) -> None:
    inputs = tiny_inputs(64)
    ours = Driver(build_openvino_segments(models[0], "bfloat16"))
    theirs = Driver(build_segments(models[0], "bfloat16"))
    one, other = (x.predict(inputs, 0.0) for x in (ours, theirs))
    np.testing.assert_allclose(
        one.probabilities, other.probabilities, atol=0.05
    )


def test_a_row_without_a_number_never_leaves_and_is_alone() -> None:
    """Its embedding overflows, to NaN in every logit."""
    model = random_model(num_hidden_layers=2)
    table = model.embeddings.token_embedding.embeddings
    weights = table.numpy()
    weights[9] = 1e38
    table.assign(weights)
    inputs = {name: np.array(x) for name, x in tiny_inputs(6).items()}
    inputs["token_ids"][inputs["token_ids"] == 9] = 8
    expected = Driver(build_openvino_segments(model)).predict(inputs, 0.5)
    inputs["token_ids"][2, 0] = 9
    result = Driver(build_openvino_segments(model)).predict(inputs, 0.5)
    others = np.arange(6) != 2
    assert result.is_valid.tolist() == others.tolist()
    assert result.exit_index[2] == 1
    np.testing.assert_allclose(
        result.logits[others], expected.logits[others], atol=1e-6
    )


def test_threads_get_what_they_get_alone_from_the_first_run_on(
    models: list[FastBertClassifier],
) -> None:
    driver = Driver(build_openvino_segments(models[0]))
    batches = [tiny_inputs(rows) for rows in range(1, 9)] * 4
    with ThreadPoolExecutor(8) as threads:
        answer = functools.partial(driver.predict, speed=0.5)
        received = list(threads.map(answer, batches))
    for one, batch in zip(received, batches, strict=True):
        expected = driver.predict(batch, 0.5)
        np.testing.assert_array_equal(one.logits, expected.logits)


def test_weights_in_two_bytes_give_the_same_bits() -> None:
    model = random_model(num_hidden_layers=1)
    (part,) = openvino_parts(model, "bfloat16", None)
    networks = [convert_segment(part, 12) for _ in range(2)]
    halve_weights(networks[1])
    sizes, logits = [], []
    for network in networks:
        constants = [
            node
            for node in network.get_ordered_ops()
            if node.get_type_name() == "Constant"
        ]
        sizes.append(sum(node.get_byte_size() for node in constants))
        segment = OpenVinoSegment(0, network, model.config, "float32", 0)
        logits.append(segment.run(tiny_inputs())["logits"])
    assert sizes[1] < 0.6 * sizes[0]
    np.testing.assert_array_equal(*logits)


def test_without_the_package_the_extra_is_named(
    models: list[FastBertClassifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    message = r"pip install 'fastbert-tf\[openvino\]'"
    with pytest.raises(ModuleNotFoundError, match=message):
        build_openvino_segments(models[0])
