import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.exit_classifier import ExitClassifier

from .. import oracles
from ..tiny_models import randomize, tiny_config, tiny_inputs
from ..tolerances import tolerance

POOLINGS = ["first", "max", "last"]


def made(pooling: str = "first", **kwargs: str) -> ExitClassifier:
    layer = ExitClassifier(tiny_config(classifier_pooling=pooling), **kwargs)
    layer.build()
    randomize(layer, 5)
    return layer


def states(rows: int = 3) -> np.ndarray:
    rng = np.random.default_rng(rows)
    return rng.standard_normal((rows, 7, 12)).astype("float32")


@pytest.mark.parametrize("pooling", POOLINGS)
def test_logits_equal_the_oracle(pooling: str) -> None:
    layer, mask = made(pooling), tiny_inputs()["padding_mask"]
    expected = oracles.exit_classifier(layer, states(), mask)
    np.testing.assert_allclose(layer(states(), mask), expected, **tolerance())


@pytest.mark.parametrize("pooling", ["first", "last"])
def test_folded_keys_and_values_change_nothing(pooling: str) -> None:
    """Without dropout, training computes what inference folds away."""
    config = tiny_config(
        classifier_pooling=pooling, attention_probs_dropout_prob=0.0
    )
    layer, mask = ExitClassifier(config), tiny_inputs()["padding_mask"]
    layer.build()
    randomize(layer, 5)
    np.testing.assert_allclose(
        layer(states(), mask, training=True),
        layer(states(), mask, training=False),
        **tolerance(),
    )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_padding_does_not_change_logits(pooling: str) -> None:
    layer, mask = made(pooling), tiny_inputs()["padding_mask"]
    longer = np.pad(mask, ((0, 0), (0, 4)))
    x = np.pad(states(), ((0, 0), (0, 4), (0, 0)), constant_values=9.0)
    np.testing.assert_allclose(
        layer(x, longer), layer(states(), mask), **tolerance()
    )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_traced_with_unknown_batch_equals_eager(pooling: str) -> None:
    layer = made(pooling)
    specs = [
        tf.TensorSpec([None, None, 12]),
        tf.TensorSpec([None, None], tf.int32),
    ]
    traced = tf.function(layer, input_signature=specs, autograph=False)
    for rows in (1, 6):
        x, mask = states(rows), tiny_inputs(rows)["padding_mask"]
        np.testing.assert_allclose(
            traced(x, mask), layer(x, mask), **tolerance()
        )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_no_rows_give_no_logits(pooling: str) -> None:
    mask = tiny_inputs(0)["padding_mask"]
    assert made(pooling)(states(0), mask).shape == (0, 5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_half_precision_gives_finite_float32_logits(
    pooling: str, policy: str
) -> None:
    layer = made(pooling, dtype=policy)
    logits = layer(states(), tiny_inputs()["padding_mask"])
    assert logits.dtype == tf.float32
    assert np.isfinite(logits).all()


def test_fresh_kernels_are_uniform_within_their_fan_in() -> None:
    layer = ExitClassifier(tiny_config(classifier_hidden_size=128))
    layer.build()
    for weight in layer.weights:
        if weight.path.endswith("kernel"):
            scaled = weight.numpy() * weight.shape[0] ** 0.5
            assert np.abs(scaled).max() <= 1.0
            assert scaled.std() == pytest.approx(3**-0.5, rel=0.1)


def test_parameters_are_those_of_the_paper() -> None:
    layer = ExitClassifier(
        tiny_config(
            hidden_size=768,
            num_attention_heads=12,
            classifier_hidden_size=128,
        )
    )
    layer.build()
    assert layer.count_params() == 180_992 + 129 * 5


@pytest.mark.parametrize("pooling", POOLINGS)
def test_config_round_trip_gives_the_same_layer(pooling: str) -> None:
    layer = made(pooling)
    copy = ExitClassifier.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy.config == layer.config
