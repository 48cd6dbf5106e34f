"""Pools in the graph: who meets in them, and who finds no room."""

import concurrent.futures
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import ExitRule, FastBertClassifier, simulate_exits
from fastbert_tf.segments import SegmentPlan
from fastbert_tf.segments.backends.building import network_parts
from fastbert_tf.segments.pooled_graph import PooledNetwork, Pools
from tests.segments.driver_test import settled
from tests.tiny_models import NUM_BLOCKS, random_model, take, tiny_inputs
from tests.tolerances import tolerance

LONGEST, SHORT = 37, 16  # Pools of three lengths, of one.


@pytest.fixture(scope="module")
def model() -> FastBertClassifier:
    return random_model(36, max_position_embeddings=40)


@pytest.fixture(scope="module")
def shallow() -> FastBertClassifier:
    """Of two blocks, for what no depth changes."""
    return random_model(5, num_hidden_layers=2, max_position_embeddings=40)


@pytest.fixture(scope="module")
def whole(model: FastBertClassifier) -> Any:
    """Its network, with pools of three lengths."""
    return network(model, "whole", longest=LONGEST)


def network(
    model: FastBertClassifier,
    name: str,
    parts: Sequence[Any] | None = None,
    longest: int = SHORT,
    **pools: int,
) -> Any:
    """The function of a `PooledNetwork` whose weights are constants."""
    parts = parts or network_parts(model, "float32", None)
    weights = [[w.value.numpy() for w in part.weights] for part in parts]
    pooled = PooledNetwork(
        parts, weights, model.config, longest, name, Pools(**pools)
    )
    return pooled.function.get_concrete_function()


def ask(function: Any, inputs: Any, speed: Any) -> list[np.ndarray]:
    ids = [tf.constant(x) for x in inputs.values()]
    rule = ExitRule.of(speed, function.inputs[3].shape[1])
    thresholds = rule.of_rows(len(inputs["padding_mask"]))
    return [x.numpy() for x in function(*ids, tf.constant(thresholds))]


@pytest.mark.parametrize("exits", [(0, 1, 2, 3), (1, 3)])
def test_any_plan_is_answered_as_the_oracle_says(
    model: FastBertClassifier, whole: Any, exits: tuple[int, ...]
) -> None:
    inputs = tiny_inputs(70, LONGEST)
    logits = model.exit_logits(inputs).numpy()
    function = whole
    if len(exits) < NUM_BLOCKS:
        parts = network_parts(model, "float32", SegmentPlan(4, exits))
        function = network(model, f"plan {exits}", parts, LONGEST)
    expected = simulate_exits(logits, 0.5, exits=exits)
    received = ask(function, inputs, 0.5)
    kept = settled(logits, 0.5)
    np.testing.assert_array_equal(received[2][kept], expected.exit_index[kept])
    np.testing.assert_allclose(
        received[0][kept], expected.logits[kept], atol=1e-5
    )
    np.testing.assert_allclose(
        received[1][kept], expected.uncertainty[kept], atol=1e-5
    )


def test_a_row_is_answered_alike_in_any_company(whole: Any) -> None:
    inputs = tiny_inputs(40, LONGEST)
    together = ask(whole, inputs, 0.3)
    for row in range(0, 40, 7):
        alone = ask(whole, take(inputs, [row]), 0.3)
        for one, all_ in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], all_[row], atol=1e-6)


class Watched:
    """A part that notes the rows of its batches and holds the first."""

    def __init__(self, part: Any) -> None:
        self.part = part
        self.sizes = []
        self.is_running = threading.Event()
        self.go_on = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.part, name)

    def run(self, ids: Any, *others: Any) -> Any:
        def look(ids: np.ndarray) -> np.ndarray:
            self.sizes.append(len(ids))
            self.is_running.set()
            self.go_on.wait(60)
            return ids

        watched = tf.numpy_function(look, [ids], ids.dtype)
        return self.part.run(tf.ensure_shape(watched, ids.shape), *others)


def test_callers_that_wait_for_a_segment_run_together(
    shallow: FastBertClassifier,
) -> None:
    """Eight wait for the first when the next finds the pool full."""
    first, *others = network_parts(shallow, "float32", None)
    first = Watched(first)
    pools = {"max_execution_batch_size": 8, "max_enqueued_batches": 1}
    function = network(shallow, "together", [first, *others], **pools)
    row = tiny_inputs(1, 5)
    first.go_on.set()
    expected = ask(function, row, 1.0)  # No caller is the first of a pool.
    for event in (first.go_on, first.is_running):
        event.clear()
    first.sizes.clear()
    with concurrent.futures.ThreadPoolExecutor(64) as threads:
        calls = [threads.submit(ask, function, row, 1.0)]
        assert first.is_running.wait(60)
        while not any(call.done() for call in calls):
            calls.append(threads.submit(ask, function, row, 1.0))
            concurrent.futures.wait([calls[-1]], timeout=0.02)
        first.go_on.set()
    assert first.sizes[:2] == [1, 8]
    answered = [call.result() for call in calls if not call.exception()]
    assert len(answered) >= 9
    for answer in answered:
        np.testing.assert_allclose(answer[0], expected[0], **tolerance())


def test_without_room_a_call_is_refused_and_the_next_is_answered(
    shallow: FastBertClassifier,
) -> None:
    function = network(
        shallow, "room", max_execution_batch_size=2, max_enqueued_batches=3
    )
    with pytest.raises(tf.errors.UnavailableError, match="full"):
        ask(function, tiny_inputs(100, 16), 0.0)
    assert len(ask(function, tiny_inputs(2, 16), 0.0)[0]) == 2


def test_a_call_of_too_many_rows_is_an_invalid_argument(
    shallow: FastBertClassifier,
) -> None:
    function = network(
        shallow, "rows", max_execution_batch_size=8, max_batch_size=8
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="batch size"):
        ask(function, tiny_inputs(9, 16), 0.0)


def test_two_networks_in_a_process_keep_their_rows_apart(
    shallow: FastBertClassifier,
) -> None:
    other = random_model(6, num_hidden_layers=2, max_position_embeddings=40)
    inputs = tiny_inputs(30, SHORT)
    models = (shallow, other)
    functions = [network(x, f"apart {i}") for i, x in enumerate(models)]
    for function in functions:
        ask(function, inputs, 0.0)  # No caller is the first of a pool.
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        answers = [
            threads.submit(ask, functions[i % 2], inputs, 0.0)
            for i in range(16)
        ]
    for i, answer in enumerate(answers):
        expected = models[i % 2](inputs)
        np.testing.assert_allclose(answer.result()[0], expected, atol=1e-5)
