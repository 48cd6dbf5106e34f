import keras
import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import FastBertClassifier
from fastbert_tf.model import AllExits

from .. import oracles
from ..tiny_models import (
    NUM_BLOCKS,
    changed,
    random_model,
    take,
    tiny_config,
    tiny_inputs,
    toy_dataset,
    toy_rows,
    values,
)
from ..tolerances import tolerance

Models = list[FastBertClassifier]


def compiled(**kwargs: object) -> FastBertClassifier:
    """Two blocks, ready for stage 1."""
    policy = kwargs.pop("dtype", "float32")
    config = tiny_config(num_hidden_layers=2)
    model = FastBertClassifier(config, dtype=policy)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-2), loss, **kwargs)
    return model


@pytest.mark.parametrize("pooling", ["first", "max", "last"])
def test_exit_logits_equal_the_oracle(pooling: str) -> None:
    model = random_model(num_hidden_layers=2, classifier_pooling=pooling)
    logits = model.exit_logits(tiny_inputs())
    expected = oracles.exit_logits(model, tiny_inputs())
    np.testing.assert_allclose(logits, expected, **tolerance())


def test_the_model_answers_with_the_teacher(models: Models) -> None:
    logits = models[0].exit_logits(tiny_inputs())
    assert logits.shape == (NUM_BLOCKS, 3, 5)
    np.testing.assert_array_equal(models[0](tiny_inputs()), logits[-1])


def test_rows_do_not_depend_on_their_batch(models: Models) -> None:
    inputs = tiny_inputs(6)
    together = models[0].exit_logits(inputs)
    alone = models[0].exit_logits(take(inputs, [4]))
    np.testing.assert_allclose(together[:, 4:5], alone, **tolerance())


def test_predict_takes_batches_of_any_size(models: Models) -> None:
    exits, inputs = AllExits(models[0]), tiny_inputs(5)
    exits.compile(run_eagerly=True)
    logits = exits.predict(inputs, batch_size=2, verbose=0)
    expected = np.swapaxes(models[0].exit_logits(inputs), 0, 1)
    np.testing.assert_allclose(logits, expected, **tolerance())


def test_traced_with_unknown_batch_equals_eager(models: Models) -> None:
    model = models[1]
    ids = tf.TensorSpec([None, None], tf.int32)
    signature = [dict.fromkeys(tiny_inputs(), ids)]
    traced = tf.function(
        model.exit_logits, input_signature=signature, autograph=False
    )
    for rows in (0, 1, 6):
        eager = model.exit_logits(tiny_inputs(rows))
        np.testing.assert_allclose(
            traced(tiny_inputs(rows)), eager, **tolerance()
        )


def test_config_round_trip_gives_the_same_model(models: Models) -> None:
    copy = FastBertClassifier.from_config(models[0].get_config())
    assert copy.get_config() == models[0].get_config()
    assert list(copy.named_weights()) == list(models[0].named_weights())


def test_every_weight_has_a_name_of_its_own(models: Models) -> None:
    named = models[0].named_weights()
    assert len(named) == len(models[0].weights)
    assert "block_0/attention/query/kernel" in named


def test_only_students_start_frozen() -> None:
    model = FastBertClassifier(tiny_config())
    frozen = {w.path for w in model.weights} - {
        w.path for w in model.trainable_weights
    }
    students = model.exit_classifiers[:-1]
    assert frozen == {w.path for part in students for w in part.weights}


def test_a_step_trains_all_but_the_students() -> None:
    model = compiled(run_eagerly=True)
    before = values(model.weights)
    model.train_on_batch(*toy_rows(40))
    moved = changed(before, model)
    expected = {n for n in before if not n.startswith("exit_classifier_0")}
    assert moved <= expected
    # The rows' softmax does not feel a shift of all scores of a query.
    assert moved | {n for n in expected if "key/bias" in n} == expected


def test_mixed_bfloat16_trains_a_step() -> None:
    model = compiled(dtype="mixed_bfloat16", run_eagerly=True)
    before = values(model.weights)
    history = model.fit(toy_dataset(8), verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"]).all()
    assert any(np.any(before[w.path] != w.numpy()) for w in model.weights)
    assert {w.dtype for w in model.weights} == {"float32"}


@pytest.mark.slow
def test_xla_trains_a_step() -> None:
    model = compiled(jit_compile=True)
    history = model.fit(toy_dataset(8), verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"]).all()
