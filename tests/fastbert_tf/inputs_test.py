import re
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.inputs import INPUT_NAMES, check_inputs, check_preprocessor

from ..tiny_models import Inputs, tiny_config, tiny_inputs

CONFIG = tiny_config()


@pytest.fixture
def inputs() -> Inputs:
    return tiny_inputs()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_integers_of_any_width_become_int32(dtype: str) -> None:
    inputs = {n: x.astype(dtype) for n, x in tiny_inputs().items()}
    for name, tensor in check_inputs(inputs, CONFIG).items():
        assert tensor.dtype == tf.int32
        np.testing.assert_array_equal(tensor, inputs[name])


def test_no_rows_are_sound() -> None:
    checked = check_inputs(tiny_inputs(0), CONFIG)
    assert checked["token_ids"].shape == (0, 7)


@pytest.mark.parametrize("name", INPUT_NAMES)
def test_a_missing_input_is_refused(inputs: Inputs, name: str) -> None:
    del inputs[name]
    with pytest.raises(ValueError, match="must be a dict of"):
        check_inputs(inputs, CONFIG)


def test_an_unknown_input_is_refused(inputs: Inputs) -> None:
    with pytest.raises(ValueError, match="segment_ids"):
        check_inputs({**inputs, "segment_ids": inputs["token_ids"]}, CONFIG)


@pytest.mark.parametrize("value", [None, [1, 2], "a text"])
def test_what_is_no_dict_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a dict of"):
        check_inputs(value, CONFIG)


@pytest.mark.parametrize("dtype", ["float32", "bool", "complex64"])
@pytest.mark.parametrize("name", INPUT_NAMES)
def test_another_dtype_is_refused_by_name(
    inputs: Inputs, name: str, dtype: str
) -> None:
    inputs[name] = inputs[name].astype(dtype)
    with pytest.raises(TypeError, match=f"`{name}`.*dtype {dtype}"):
        check_inputs(inputs, CONFIG)


@pytest.mark.parametrize("name", INPUT_NAMES)
def test_another_rank_is_refused_by_name(inputs: Inputs, name: str) -> None:
    inputs[name] = inputs[name][0]
    with pytest.raises(ValueError, match=rf"`{name}` must have shape \[B, S\]"):
        check_inputs(inputs, CONFIG)


def test_different_shapes_are_refused(inputs: Inputs) -> None:
    inputs["token_type_ids"] = inputs["token_type_ids"][:, :-1]
    with pytest.raises(ValueError, match=r"one shape .*token_type_ids"):
        check_inputs(inputs, CONFIG)


@pytest.mark.parametrize(
    ("name", "value", "size"),
    [
        ("token_ids", 23, 23),
        ("token_ids", -1, 23),
        ("token_ids", 2**40, 23),
        ("token_type_ids", 2, 2),
        ("token_type_ids", -1, 2),
        ("padding_mask", 2, 2),
        ("padding_mask", -1, 2),
    ],
)
def test_a_value_beyond_its_table_is_refused_with_its_place(
    inputs: Inputs, name: str, value: int, size: int
) -> None:
    inputs[name] = inputs[name].astype("int64")
    inputs[name][2, 3] = value
    message = f"`{name}` must be in [0, {size}). Received: {value} in row 2"
    with pytest.raises(ValueError, match=re.escape(message)):
        check_inputs(inputs, CONFIG)


def test_a_row_of_padding_alone_is_refused(inputs: Inputs) -> None:
    inputs["padding_mask"][1] = 0
    with pytest.raises(ValueError, match="row 1 with a `padding_mask` of zero"):
        check_inputs(inputs, CONFIG)


@pytest.mark.parametrize("positions", [0, 12])
def test_rows_longer_than_the_position_table_are_refused(
    positions: int,
) -> None:
    inputs = {n: np.ones((3, positions), "int32") for n in INPUT_NAMES}
    with pytest.raises(ValueError, match=f"1 to 11 .*Received: {positions}"):
        check_inputs(inputs, CONFIG)


def test_the_whole_position_table_may_be_used() -> None:
    inputs = tiny_inputs(positions=11)
    assert check_inputs(inputs, CONFIG)["token_ids"].shape == (3, 11)


def test_a_vocabulary_of_another_size_is_refused() -> None:
    config = tiny_config()
    with pytest.raises(ValueError, match="must have 23 tokens.*Received: 22"):
        check_preprocessor(22, 7, config)


def test_a_preprocessor_longer_than_the_position_table_is_refused() -> None:
    config = tiny_config()
    length = config.max_position_embeddings + 1
    with pytest.raises(ValueError, match=f"Received: {length}"):
        check_preprocessor(config.vocab_size, length, config)
