import logging

import numpy as np
import pytest

from fastbert_tf import checkpoints
from fastbert_tf.model import FastBertClassifier

from . import tiny


@pytest.fixture
def encoder(tmp_path):
    folder = tiny.write_huggingface(tmp_path)
    return checkpoints.read_checkpoint(folder)


def with_exits(encoder, num_classes=5):
    encoder = encoder.with_num_classes(num_classes)
    weights = FastBertClassifier(encoder.config).named_weights()
    tensors = {name: weight.numpy() for name, weight in weights.items()}
    return checkpoints.Checkpoint(encoder.config, tensors, {})


def test_classes_are_two_unless_said(encoder):
    assert encoder.with_num_classes(None).config.num_classes == 2
    assert encoder.with_num_classes(7).config.num_classes == 7


@pytest.mark.parametrize("num_classes", [1, 0, -3, "2", True])
def test_impossible_numbers_of_classes_are_refused(encoder, num_classes):
    with pytest.raises(ValueError, match="`num_classes` must be"):
        encoder.with_num_classes(num_classes)


def test_exit_classifiers_fix_the_number_of_classes(encoder):
    trained = with_exits(encoder)
    assert trained.with_num_classes(None) is trained
    assert trained.with_num_classes(5) is trained
    with pytest.raises(ValueError, match="num_classes=3. Expected: 5"):
        trained.with_num_classes(3)


def test_stacking_repeats_each_block_in_place(encoder):
    stacked = encoder.stacked(6)
    for i, source in enumerate([0, 0, 1, 1, 2, 2]):
        np.testing.assert_array_equal(
            stacked.tensors[f"block_{i}/intermediate/kernel"],
            encoder.tensors[f"block_{source}/intermediate/kernel"],
        )
    assert stacked.config.num_hidden_layers == 6


def test_stacking_is_logged_and_kept_in_the_origin(encoder, caplog):
    with caplog.at_level(logging.INFO, "absl"):
        stacked = encoder.stacked(9)
    assert "3 blocks stacked to 9: each repeated 3 times" in caplog.text
    assert stacked.origin["block_repetition"] == 3


def test_stacking_to_the_same_depth_changes_nothing(encoder):
    assert encoder.stacked(3) is encoder


@pytest.mark.parametrize("num_layers", [1, 2, 4, 0, -3])
def test_stacking_to_no_multiple_is_refused(encoder, num_layers):
    with pytest.raises(ValueError, match=f"num_layers={num_layers}"):
        encoder.stacked(num_layers)


def test_a_fastbert_cannot_be_stacked(encoder):
    trained = with_exits(encoder)
    assert trained.stacked(3) is trained
    with pytest.raises(ValueError, match="which fit that depth only"):
        trained.stacked(6)


def test_assigning_sets_every_variable(encoder):
    trained = with_exits(encoder)
    model = FastBertClassifier(trained.config)
    trained.assign_to(model.named_weights())
    for name, weight in model.named_weights().items():
        np.testing.assert_array_equal(weight.numpy(), trained.tensors[name])


def test_without_exit_classifiers_those_stay_fresh(encoder, caplog):
    model = FastBertClassifier(encoder.config)
    before = model.exit_classifiers[1].get_weights()
    with caplog.at_level(logging.INFO, "absl"):
        encoder.assign_to(model.named_weights())
    for old, new in zip(
        before, model.exit_classifiers[1].get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)
    assert "start fresh" in caplog.text


def test_leftovers_on_both_sides_are_listed(encoder):
    trained = with_exits(encoder)
    variables = FastBertClassifier(trained.config).named_weights()
    tensors = dict(trained.tensors)
    tensors["novel"] = tensors.pop("exit_classifier_1/logits_dense/bias")
    broken = checkpoints.Checkpoint(trained.config, tensors, {})
    message = "unused: .'novel'.*missing: .'exit_classifier_1/logits_dense"
    with pytest.raises(ValueError, match=message):
        broken.assign_to(variables)


def test_nothing_is_assigned_when_one_shape_differs(encoder):
    trained = with_exits(encoder)
    last = "exit_classifier_2/logits_dense/bias"
    tensors = {**trained.tensors, last: np.zeros(4, np.float32)}
    broken = checkpoints.Checkpoint(trained.config, tensors, {})
    model = FastBertClassifier(trained.config)
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"{last}: received .4,., expected"):
        broken.assign_to(model.named_weights())
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
