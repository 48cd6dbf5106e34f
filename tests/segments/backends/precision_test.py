import pathlib

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import FastBertClassifier
from fastbert_tf.layers import Block
from fastbert_tf.segments import Driver, build_segments
from fastbert_tf.segments.backends import precision
from fastbert_tf.segments.backends.precision import (
    check_precision,
    compute_dtype,
    in_precision,
    processor_instructions,
)
from tests.tiny_models import tiny_config, tiny_inputs
from tests.tolerances import tolerance


@pytest.fixture(scope="module")
def model() -> FastBertClassifier:
    """Initialized as for training, so that values have a realistic size."""
    return FastBertClassifier(tiny_config(num_hidden_layers=2))


@pytest.fixture(params=[True, False], ids=["bfloat16 CPU", "float32 CPU"])
def has_instructions(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> bool:
    """A machine with bfloat16 instructions, and one without."""
    monkeypatch.setattr(precision, "has_bfloat16", lambda: request.param)
    return request.param


@pytest.fixture
def half(model: FastBertClassifier, has_instructions: bool) -> Driver:
    return Driver(build_segments(model, "bfloat16"))


def test_bfloat16_is_close_to_float32(
    model: FastBertClassifier, half: Driver
) -> None:
    inputs = tiny_inputs(6)
    result = half.predict(inputs, 0.0)
    expected = model(inputs)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        result.logits / scale, expected / scale, **tolerance("bfloat16")
    )


def test_bfloat16_segments_answer_in_float32(half: Driver) -> None:
    outputs = half.segments[0].run(tiny_inputs())
    assert outputs["hidden_states"].dtype == tf.bfloat16
    assert outputs["logits"].dtype == tf.float32
    assert outputs["uncertainty"].dtype == tf.float32


def test_bfloat16_rows_do_not_depend_on_padding(half: Driver) -> None:
    inputs = tiny_inputs(6)
    longer = {n: np.pad(x, ((0, 0), (0, 4))) for n, x in inputs.items()}
    one, other = half.predict(inputs, 0.0), half.predict(longer, 0.0)
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-3)


def test_a_model_in_mixed_precision_gives_float32_segments() -> None:
    config = tiny_config(num_hidden_layers=2)
    mixed = FastBertClassifier(config, dtype="mixed_bfloat16")
    plain = FastBertClassifier(config)
    for weight, value in zip(plain.weights, mixed.weights, strict=True):
        weight.assign(value)
    result = Driver(build_segments(mixed)).predict(tiny_inputs(), 0.0)
    np.testing.assert_allclose(
        result.logits, plain(tiny_inputs()), **tolerance()
    )


def test_a_layer_in_its_own_precision_is_not_copied() -> None:
    layer = Block(tiny_config())
    layer.build()
    assert in_precision(layer, "float32") is layer


def test_a_copy_holds_the_rounded_weights_and_leaves_the_layer(
    has_instructions: bool,
) -> None:
    layer = Block(tiny_config())
    layer.build()
    before = [w.numpy().copy() for w in layer.weights]
    copy = in_precision(layer, "bfloat16")
    for weight, value, mine in zip(
        copy.weights, before, layer.weights, strict=True
    ):
        assert weight.dtype == ("bfloat16" if has_instructions else "float32")
        rounded = tf.cast(tf.cast(value, tf.bfloat16), tf.float32)
        np.testing.assert_array_equal(tf.cast(weight, tf.float32), rounded)
        np.testing.assert_array_equal(mine, value)


def test_without_instructions_bfloat16_is_computed_in_float32(
    has_instructions: bool,
) -> None:
    expected = "bfloat16" if has_instructions else "float32"
    assert compute_dtype("bfloat16") == expected
    assert compute_dtype("float32") == "float32"


@pytest.mark.parametrize("name", ["flags", "Features"])
def test_instructions_are_those_the_processor_names(
    tmp_path: pathlib.Path, name: str
) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\n{name}\t: avx2 avx512_bf16\n\nflags: x\n")
    assert processor_instructions(str(path)) == {"avx2", "avx512_bf16"}
    assert processor_instructions(str(tmp_path / "none")) == set()


@pytest.mark.parametrize("name", ["float16", "", None])
def test_an_unknown_precision_is_refused(name: str | None) -> None:
    with pytest.raises(ValueError, match=r"one of \['float32', 'bfloat16'\]"):
        check_precision(name)
