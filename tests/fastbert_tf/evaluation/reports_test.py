"""Evaluation against answers and costs worked out row by row."""

import dataclasses
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.config import FastBertConfig
from fastbert_tf.evaluation import (
    ExitTrace,
    collect_exits,
    evaluate_exits,
    evaluate_speeds,
)
from fastbert_tf.evaluation.flops import count_flops
from fastbert_tf.model import FastBertClassifier

CONFIG = FastBertConfig(
    vocab_size=11,
    hidden_size=12,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=20,
    max_position_embeddings=9,
    num_classes=5,
    classifier_hidden_size=8,
)
SEQUENCE_LENGTH = 9
# Which of three exits is sure of each of four rows, and of which class.
SURE = 30.0
LABELS = np.array([4, 1, 0, 2], np.int32)
LENGTHS = np.array([2, 7, 3, 9], np.int32)
LEAVES_AT = [0, 2, 1, 0]  # at speed 0.5
ANSWERS = [4, 1, 3, 2]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(7)
    return FastBertClassifier(CONFIG)


@pytest.fixture(scope="module")
def batches():
    """Batches of several sizes and lengths: `(inputs, label)` in NumPy."""
    rng = np.random.default_rng(3)
    return [
        _batch(rng, rows, width) for rows, width in ((3, 7), (2, 4), (1, 9))
    ]


@pytest.fixture
def trace():
    logits = np.zeros((3, 4, 5), np.float32)
    for row, (exit_, answer) in enumerate(zip(LEAVES_AT, ANSWERS, strict=True)):
        logits[exit_:, row, answer] = SURE
    return ExitTrace(logits, LABELS, LENGTHS)


@pytest.fixture(scope="module")
def collected(model, batches):
    """The trace of the batches, and how often the network was traced."""
    calls = []
    original = model.exit_logits
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            model, "exit_logits", lambda x: calls.append(1) or original(x)
        )
        return collect_exits(model, _dataset(batches)), len(calls)


class Stub:
    """In the place of a model where only the data matters."""

    config = CONFIG

    def exit_logits(self, inputs):
        return tf.zeros([3, tf.shape(inputs["token_ids"])[0], 5])


def test_collected_logits_are_those_of_each_batch_in_order(
    model, batches, collected
):
    expected = [np.array(model.exit_logits(inputs)) for inputs, _ in batches]
    expected = np.concatenate(expected, axis=1)
    np.testing.assert_allclose(collected[0].exit_logits, expected, atol=1e-5)
    assert collected[0].exit_logits.dtype == np.float32


def test_collected_labels_and_lengths_belong_to_their_rows(batches, collected):
    trace, _ = collected
    labels = [label for _, labels in batches for label in labels]
    masks = [mask for inputs, _ in batches for mask in inputs["padding_mask"]]
    assert trace.labels.tolist() == labels
    assert trace.lengths.tolist() == [mask.sum() for mask in masks]
    assert trace.labels.dtype == trace.lengths.dtype == np.int32


def test_collecting_traces_the_network_once(collected):
    assert collected[1] == 1


def test_unlabelled_text_has_depth_and_cost_but_no_accuracy(batches):
    trace = collect_exits(Stub(), [inputs for inputs, _ in batches])
    (report,) = evaluate_speeds(trace, CONFIG, [0.0], SEQUENCE_LENGTH)
    assert trace.labels is None
    assert report.accuracy is None
    assert report.mean_depth == 3


def test_no_examples_are_refused():
    with pytest.raises(ValueError, match="Received: 0 examples"):
        collect_exits(Stub(), [])


def test_a_label_that_is_no_class_is_refused(batches):
    inputs, labels = batches[1]
    with pytest.raises(ValueError, match="Received: 5 in example 1"):
        collect_exits(Stub(), [(inputs, np.array([labels[0], 5]))])


def test_labels_of_another_shape_are_refused(batches):
    inputs, labels = batches[0]
    with pytest.raises(ValueError, match=r"`labels` must have shape \(3,\)"):
        collect_exits(Stub(), [(inputs, labels[:, None])])


def test_a_report_counts_answers_depths_and_exits(trace):
    (report,) = evaluate_speeds(trace, CONFIG, [0.5], SEQUENCE_LENGTH)
    assert report.speed == 0.5
    assert report.accuracy == 3 / 4
    assert report.mean_depth == np.mean(LEAVES_AT) + 1
    assert report.exit_histogram == [2, 1, 1]


def test_flops_are_those_of_each_row_at_its_own_length(trace):
    (report,) = evaluate_speeds(trace, CONFIG, [0.5], SEQUENCE_LENGTH)
    counts = [count_flops(CONFIG, length) for length in LENGTHS.tolist()]
    spent = sum(c.leaving_at(i) for c, i in zip(counts, LEAVES_AT, strict=True))
    full_depth = sum(c.full_depth for c in counts)
    assert report.flops_per_example == pytest.approx(spent / 4)
    assert report.flops_speedup == pytest.approx(full_depth / spent)


def test_paper_speedup_is_at_one_length_against_blocks_and_teacher(trace):
    (report,) = evaluate_speeds(trace, CONFIG, [0.5], SEQUENCE_LENGTH)
    counts = count_flops(CONFIG, SEQUENCE_LENGTH, "paper")
    full_depth = 3 * counts.block + counts.exit_classifier
    spent = np.mean([counts.leaving_at(i) for i in LEAVES_AT])
    assert report.paper_flops_speedup == pytest.approx(full_depth / spent)


def test_every_row_leaving_at_m0_gives_the_published_limit():
    config = FastBertConfig()
    logits = np.full((12, 1, 2), [SURE, 0.0], np.float32)
    trace = ExitTrace(logits, None, np.array([128]))
    (report,) = evaluate_speeds(trace, config, [0.5], 128)
    assert report.paper_flops_speedup == pytest.approx(11.75, abs=0.01)


def test_speed_zero_asks_no_student_and_costs_what_full_depth_does(trace):
    (report,) = evaluate_speeds(trace, CONFIG, [0], SEQUENCE_LENGTH)
    assert report.exit_histogram == [0, 0, 4]
    assert report.flops_speedup == report.paper_flops_speedup == 1


@pytest.mark.parametrize("speed", [float("nan"), 2.0, -0.1])
def test_a_speed_outside_its_range_is_refused(trace, speed):
    with pytest.raises(ValueError, match=r"`speed` must be in \[0, 1\]"):
        evaluate_speeds(trace, CONFIG, [speed], SEQUENCE_LENGTH)


def test_an_exit_alone_answers_every_row_itself(trace):
    reports = evaluate_exits(trace, CONFIG, SEQUENCE_LENGTH)
    assert [r.exit_index for r in reports] == [0, 1, 2]
    # M0 knows rows 0 and 3, guesses class 0 for 1 and 2: right for row 2.
    assert [r.accuracy for r in reports] == [3 / 4, 2 / 4, 3 / 4]
    assert [r.exit_histogram[r.exit_index] for r in reports] == [4, 4, 4]
    assert [r.mean_depth for r in reports] == [1, 2, 3]


def test_an_exit_alone_costs_its_blocks_and_one_classifier(trace):
    report = evaluate_exits(trace, CONFIG, SEQUENCE_LENGTH)[1]
    counts = [count_flops(CONFIG, length) for length in LENGTHS.tolist()]
    spent = sum(2 * c.block + c.exit_classifier for c in counts)
    full_depth = sum(c.full_depth for c in counts)
    assert report.flops_per_example == pytest.approx(spent / 4)
    assert report.flops_speedup == pytest.approx(full_depth / spent)


def test_the_last_exit_alone_is_full_depth(trace):
    report = evaluate_exits(trace, CONFIG, SEQUENCE_LENGTH)[-1]
    assert report.flops_speedup == report.paper_flops_speedup == 1


def test_a_row_without_an_answer_is_wrong_and_warned_of(trace):
    trace.exit_logits[:, 0] = np.nan
    with pytest.warns(RuntimeWarning, match="1 of 4 .* at speed 0.5"):
        (report,) = evaluate_speeds(trace, CONFIG, [0.5], SEQUENCE_LENGTH)
    assert report.accuracy == 2 / 4
    assert report.exit_histogram == [1, 1, 2]


def test_mean_uncertainty_is_high_where_few_rows_are_sure(trace):
    np.testing.assert_allclose(
        trace.mean_uncertainty, [0.5, 0.25, 0], atol=1e-6
    )


def test_mean_uncertainty_leaves_invalid_rows_out(trace):
    trace.exit_logits[:, 1] = np.nan
    trace.exit_logits[0] = np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean = trace.mean_uncertainty
    assert np.isnan(mean[0])
    np.testing.assert_allclose(mean[1:], [0, 0], atol=1e-6)


def test_a_report_has_the_fields_of_the_file_format(trace):
    names = "accuracy mean_depth exit_histogram flops_per_example"
    names = [*names.split(), "flops_speedup", "paper_flops_speedup"]
    (by_speed,) = evaluate_speeds(trace, CONFIG, [0.5], SEQUENCE_LENGTH)
    by_exit = evaluate_exits(trace, CONFIG, SEQUENCE_LENGTH)[0]
    assert list(dataclasses.asdict(by_speed)) == ["speed", *names]
    assert list(dataclasses.asdict(by_exit)) == ["exit_index", *names]


def _batch(rng, rows, width):
    lengths = rng.integers(2, width + 1, rows)
    mask = np.arange(width) < lengths[:, None]
    inputs = {
        "token_ids": rng.integers(1, CONFIG.vocab_size, (rows, width)) * mask,
        "token_type_ids": rng.integers(0, 2, (rows, width)) * mask,
        "padding_mask": mask * 1,
    }
    inputs = {name: x.astype(np.int32) for name, x in inputs.items()}
    return inputs, rng.integers(0, CONFIG.num_classes, rows).astype(np.int32)


def _dataset(batches):
    ids = tf.TensorSpec([None, None], tf.int32)
    inputs = dict.fromkeys(batches[0][0], ids)
    label = tf.TensorSpec([None], tf.int32)
    return tf.data.Dataset.from_generator(
        lambda: iter(batches), output_signature=(inputs, label)
    )
