import keras
import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.layers import Block, Embeddings, SelfAttention

from .. import oracles
from ..tiny_models import POSITIONS, randomize, tiny_config, tiny_inputs
from ..tolerances import tolerance


def made(layer: keras.layers.Layer, seed: int = 3) -> keras.layers.Layer:
    layer.build()
    randomize(layer, seed)
    return layer


def states(rows: int = 3, positions: int = POSITIONS) -> np.ndarray:
    rng = np.random.default_rng(rows)
    return rng.standard_normal((rows, positions, 12)).astype("float32")


@pytest.fixture(scope="module")
def block() -> Block:
    return made(Block(tiny_config()))


@pytest.fixture(scope="module")
def embeddings() -> Embeddings:
    return made(Embeddings(tiny_config()))


@pytest.fixture(scope="module")
def attention() -> SelfAttention:
    return made(SelfAttention(tiny_config(), width=12, num_heads=2))


def test_embeddings_equal_the_oracle(embeddings: Embeddings) -> None:
    inputs = tiny_inputs()
    result = embeddings(inputs["token_ids"], inputs["token_type_ids"])
    expected = oracles.embeddings(embeddings, inputs)
    np.testing.assert_allclose(result, expected, **tolerance())


@pytest.mark.parametrize("hidden_act", ["gelu", "gelu_new", "relu"])
def test_block_equals_the_oracle(hidden_act: str) -> None:
    layer = made(Block(tiny_config(hidden_act=hidden_act)))
    mask = tiny_inputs()["padding_mask"]
    expected = oracles.block(layer, states(), mask)
    np.testing.assert_allclose(layer(states(), mask), expected, **tolerance())


def test_layer_norm_uses_the_configured_epsilon() -> None:
    layer = made(Block(tiny_config(layer_norm_eps=0.5)))
    mask = tiny_inputs()["padding_mask"]
    expected = oracles.block(layer, states(), mask)
    np.testing.assert_allclose(layer(states(), mask), expected, **tolerance())


def test_one_query_gives_the_row_that_all_queries_give(
    attention: SelfAttention,
) -> None:
    x, mask = states(), tiny_inputs()["padding_mask"]
    alone = attention(x, mask, x[:, 2:3])
    together = attention(x, mask)
    np.testing.assert_allclose(alone[:, 0], together[:, 2], **tolerance())


def test_block_ignores_what_stands_in_padding(block: Block) -> None:
    mask = tiny_inputs()["padding_mask"]
    other = np.where(mask[..., None] == 1, states(), 9.0).astype("float32")
    real = mask.astype(bool)
    one, two = block(states(), mask), block(other, mask)
    np.testing.assert_array_equal(one.numpy()[real], two.numpy()[real])


def test_traced_block_of_unknown_batch_equals_eager(block: Block) -> None:
    specs = [
        tf.TensorSpec([None, None, 12]),
        tf.TensorSpec([None, None], tf.int32),
    ]
    traced = tf.function(block, input_signature=specs, autograph=False)
    for rows in (0, 1, 6):
        x, mask = states(rows), tiny_inputs(rows)["padding_mask"]
        np.testing.assert_allclose(
            traced(x, mask), block(x, mask), **tolerance()
        )


def test_traced_embeddings_of_unknown_batch_equal_eager(
    embeddings: Embeddings,
) -> None:
    specs = [tf.TensorSpec([None, None], tf.int32)] * 2
    traced = tf.function(embeddings, input_signature=specs, autograph=False)
    for rows in (0, 2):
        ids = list(tiny_inputs(rows).values())[:2]
        np.testing.assert_allclose(
            traced(*ids), embeddings(*ids), **tolerance()
        )


@pytest.mark.parametrize(
    "layer",
    [
        Embeddings(tiny_config(), name="a"),
        Block(tiny_config(hidden_act="relu"), dtype="mixed_bfloat16"),
        SelfAttention(tiny_config(), width=18, num_heads=3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_config_round_trip_gives_the_same_layer(
    layer: keras.layers.Layer,
) -> None:
    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy.config == layer.config
    assert copy.dtype_policy.name == layer.dtype_policy.name


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_padding_stays_finite(policy: str) -> None:
    layer = made(Block(tiny_config(), dtype=policy))
    result = layer(states(), tiny_inputs()["padding_mask"])
    assert result.dtype == layer.compute_dtype
    assert np.isfinite(np.asarray(result, "float32")).all()


def test_dropout_acts_in_training_only(block: Block) -> None:
    mask = tiny_inputs()["padding_mask"]
    still, again = (block(states(), mask).numpy() for _ in range(2))
    trained = block(states(), mask, training=True).numpy()
    np.testing.assert_array_equal(still, again)
    assert np.abs(trained - still).max() > 0.01


@pytest.mark.slow
def test_block_under_xla_equals_eager(block: Block) -> None:
    compiled = tf.function(block, jit_compile=True, autograph=False)
    mask = tf.constant(tiny_inputs()["padding_mask"])
    eager = block(states(), mask)
    result = compiled(tf.constant(states()), mask)
    np.testing.assert_allclose(result, eager, **tolerance())
