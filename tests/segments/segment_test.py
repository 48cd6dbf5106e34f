from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import FastBertClassifier, normalized_entropy
from fastbert_tf.segments import Driver, build_segments

from ..tiny_models import NUM_BLOCKS, random_model, tiny_inputs, toy_rows
from ..tolerances import tolerance

Drivers = list[Driver]


def run_all(driver: Driver, inputs: Any) -> list[dict[str, tf.Tensor]]:
    """What each segment gives when every row goes through all of them."""
    outputs = [driver.segments[0].run(inputs)]
    for segment in driver.segments[1:]:
        hidden_states = outputs[-1]["hidden_states"]
        outputs.append(segment.run(hidden_states, inputs["padding_mask"]))
    return outputs


@pytest.mark.parametrize("rows", [1, 6])
def test_segments_in_a_row_give_the_logits_of_the_model(
    models: list[FastBertClassifier], drivers: Drivers, rows: int
) -> None:
    inputs = tiny_inputs(rows)
    logits = [x["logits"] for x in run_all(drivers[0], inputs)]
    expected = models[0].exit_logits(inputs)
    np.testing.assert_allclose(logits, expected, **tolerance())


def test_uncertainty_is_that_of_the_logits(drivers: Drivers) -> None:
    for outputs in run_all(drivers[0], tiny_inputs()):
        expected = normalized_entropy(outputs["logits"].numpy())
        np.testing.assert_allclose(
            outputs["uncertainty"], expected, **tolerance()
        )


def test_every_segment_runs_on_no_rows(drivers: Drivers) -> None:
    for outputs in run_all(drivers[0], tiny_inputs(0)):
        shapes = {name: tuple(x.shape) for name, x in outputs.items()}
        assert shapes == {
            "hidden_states": (0, 7, 12),
            "logits": (0, 5),
            "uncertainty": (0,),
        }


def test_segments_are_named_and_the_last_is_the_teacher(
    drivers: Drivers,
) -> None:
    segments = drivers[0].segments
    assert [segment.name for segment in segments] == ["M0", "M1", "M2", "M3"]
    assert [x.is_teacher for x in segments] == [False] * 3 + [True]
    assert len(segments) == NUM_BLOCKS


def test_weights_are_constants_of_the_graph(drivers: Drivers) -> None:
    for segment in drivers[0].segments:
        function = segment.function.get_concrete_function()
        assert not function.captured_inputs
        kinds = {op.type for op in function.graph.get_operations()}
        assert "ReadVariableOp" not in kinds


def test_training_the_model_does_not_change_its_segments() -> None:
    model, inputs = random_model(num_hidden_layers=2), tiny_inputs()
    driver = Driver(build_segments(model))
    before = driver.predict(inputs, 0.0).logits
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(0.1), loss, run_eagerly=True)
    model.train_on_batch(*toy_rows(8))
    after = driver.predict(inputs, 0.0).logits
    np.testing.assert_array_equal(before, after)
    assert np.abs(model(inputs) - after).max() > 1e-3


def test_building_segments_does_not_change_the_model() -> None:
    model = random_model(num_hidden_layers=2)
    before = [w.numpy().copy() for w in model.weights]
    trainable = [w.path for w in model.trainable_weights]
    build_segments(model, "bfloat16")
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    assert [w.path for w in model.trainable_weights] == trainable


def test_an_unknown_precision_is_refused(
    models: list[FastBertClassifier],
) -> None:
    with pytest.raises(ValueError, match="Received: precision='int8'"):
        build_segments(models[0], "int8")


@pytest.mark.parametrize("pooling", ["max", "last"])
def test_segments_of_other_poolings_equal_the_model(pooling: str) -> None:
    model = random_model(num_hidden_layers=2, classifier_pooling=pooling)
    outputs = run_all(Driver(build_segments(model)), tiny_inputs())
    np.testing.assert_allclose(
        [x["logits"] for x in outputs],
        model.exit_logits(tiny_inputs()),
        **tolerance(),
    )
