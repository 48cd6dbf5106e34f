"""Tests of the batches that a labelled file becomes."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.data.dataset import bucket_boundaries, load_dataset
from tests.fastbert_tf.text import text_oracle

LETTERS = "abcdefghijklmnopqrstuvwxyz"
NUM_ROWS = 43


@pytest.fixture
def ours():
    return text_oracle.preprocessor(sequence_length=24)


@pytest.fixture
def table(tmp_path):
    """43 rows of 0 to 24 words; the first two words number the row."""
    path = tmp_path / "train.tsv"
    rows = ["label\ttext_a"]
    for row in range(NUM_ROWS):
        words = [LETTERS[row // 26], LETTERS[row % 26]] + ["the"] * (row % 23)
        rows.append(f"{row % 3}\t{' '.join(words)}")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text(
        '{"label": "yes", "text_a": "a", "text_b": "b c"}\n'
        '{"label": "no", "text_a": "", "text_b": "d"}\n'
    )
    return path


def row_numbers(batch, preprocessor):
    ids = batch["token_ids"].numpy()[:, 1:3]
    letters = [[preprocessor.vocabulary[i] for i in row] for row in ids]
    return [26 * LETTERS.index(a) + LETTERS.index(b) for a, b in letters]


def epoch(dataset, preprocessor):
    return [row_numbers(inputs, preprocessor) for inputs, _ in dataset]


def test_unshuffled_rows_keep_the_order_of_the_file(table, ours):
    dataset = load_dataset(table, ours, batch_size=8)
    assert [*itertools.chain(*epoch(dataset, ours))] == [*range(NUM_ROWS)]
    labels = np.concatenate([label for _, label in dataset])
    np.testing.assert_array_equal(labels, np.arange(NUM_ROWS) % 3)
    assert labels.dtype == np.int32


@pytest.mark.parametrize("batch_size", [1, 8, 43, 100])
def test_shuffled_epoch_has_every_row_once(table, ours, batch_size):
    dataset = load_dataset(table, ours, batch_size, shuffle=True, seed=1)
    batches = epoch(dataset, ours)
    assert sorted(itertools.chain(*batches)) == [*range(NUM_ROWS)]
    assert len(batches) == int(dataset.cardinality())
    assert len(batches) == -(-NUM_ROWS // batch_size)


def test_shuffled_rows_keep_their_labels(table, ours):
    dataset = load_dataset(table, ours, batch_size=8, shuffle=True)
    for inputs, label in dataset:
        expected = [row % 3 for row in row_numbers(inputs, ours)]
        assert label.numpy().tolist() == expected


def test_epochs_differ_and_runs_with_one_seed_agree(table, ours):
    runs = []
    for _ in range(2):
        dataset = load_dataset(table, ours, 8, shuffle=True, seed=5)
        runs.append([epoch(dataset, ours) for _ in range(3)])
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[0][1] != runs[0][2]


def test_other_seeds_give_other_orders(table, ours):
    orders = [
        epoch(load_dataset(table, ours, 8, shuffle=True, seed=seed), ours)
        for seed in (5, 6)
    ]
    assert orders[0] != orders[1]


def test_first_epoch_goes_on_where_a_run_stopped(table, ours):
    whole = load_dataset(table, ours, 8, shuffle=True, seed=5)
    orders = [epoch(whole, ours) for _ in range(3)]
    rest = load_dataset(table, ours, 8, shuffle=True, seed=5, first_epoch=2)
    assert epoch(rest, ours) == orders[2]


def test_shuffled_batches_hold_rows_of_like_length(table, ours):
    options = {"bucket_boundaries": (6, 12, 18), "seed": 3, "shuffle": True}
    dataset = load_dataset(table, ours, 4, **options)
    widths = [inputs["token_ids"].shape[1] for inputs, _ in dataset]
    assert set(widths) <= {6, 12, 18, 24}
    assert widths != sorted(widths)
    ranges = [
        int(np.ptp(inputs["padding_mask"].numpy().sum(axis=1)))
        for inputs, _ in dataset
    ]
    assert np.median(ranges) <= 6


def test_batches_are_the_preprocessor_output_padded(table, ours):
    inputs, _ = next(iter(load_dataset(table, ours, batch_size=3)))
    expected = ours(["a a", "a b the", "a c the the"])
    for name, value in expected.items():
        padded = np.pad(value, [(0, 0), (0, 16 - value.shape[1])])
        np.testing.assert_array_equal(inputs[name], padded)


def test_pairs_become_two_token_types(pairs, ours):
    inputs, label = next(iter(load_dataset(pairs, ours)))
    types = inputs["token_type_ids"].numpy()[:, :6]
    assert types.tolist() == [[0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 0, 0]]
    assert label.numpy().tolist() == [1, 0]


def test_unlabelled_file_gives_inputs_alone(table, ours):
    inputs = next(iter(load_dataset(table, ours, labelled=False)))
    assert set(inputs) == {"token_ids", "token_type_ids", "padding_mask"}
    assert inputs["token_ids"].dtype == tf.int32


def test_labels_given_decide_about_ids(pairs, ours):
    dataset = load_dataset(pairs, ours, labels=["maybe", "yes", "no"])
    assert next(iter(dataset))[1].numpy().tolist() == [1, 2]


def test_unknown_label_is_refused_with_line_and_list(pairs, ours):
    message = r"line 2: received the label 'no', expected one of \['a', 'yes'\]"
    with pytest.raises(ValueError, match=message):
        load_dataset(pairs, ours, labels=["a", "yes"])


@pytest.mark.parametrize("labels", [["a"], ["a", "a"], [0, 1]])
def test_impossible_label_lists_are_refused(pairs, ours, labels):
    with pytest.raises(ValueError, match="two or more different strings"):
        load_dataset(pairs, ours, labels=labels)


def test_bad_row_is_refused_at_the_call(tmp_path, ours):
    path = tmp_path / "train.tsv"
    path.write_text("label\ttext_a\n0\ta\n1\n")
    with pytest.raises(ValueError, match="line 3"):
        load_dataset(path, ours)


def test_bad_rows_within_the_limit_are_left_out(tmp_path, ours):
    path = tmp_path / "train.tsv"
    path.write_text("label\ttext_a\n0\ta\nbad\n1\tb\n")
    side = tmp_path / "bad.jsonl"
    dataset = load_dataset(path, ours, max_bad_rows=1, bad_rows_path=side)
    assert next(iter(dataset))[1].numpy().tolist() == [0, 1]
    assert len(side.read_text().splitlines()) == 1


def test_file_changed_after_the_check_is_refused(table, ours):
    dataset = load_dataset(table, ours)
    table.write_text(table.read_text() + "0\ta\n")
    with pytest.raises(tf.errors.InvalidArgumentError, match="has changed"):
        next(iter(dataset))


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, True])
def test_impossible_batch_size_is_refused(table, ours, batch_size):
    with pytest.raises(ValueError, match=f"batch_size={batch_size}"):
        load_dataset(table, ours, batch_size)


@pytest.mark.parametrize("boundaries", [(8, 8), (0, 8), (12, 8), (8, 30)])
def test_impossible_boundaries_are_refused(boundaries):
    with pytest.raises(ValueError, match="bucket_boundaries"):
        bucket_boundaries(24, boundaries)


def test_last_boundary_is_the_sequence_length():
    assert bucket_boundaries(100) == (16, 32, 48, 64, 96, 100)
    assert bucket_boundaries(10) == (10,)
    assert bucket_boundaries(24, (8, 24)) == (8, 24)


def test_unknown_option_is_refused(table, ours):
    with pytest.raises(TypeError, match="lables"):
        load_dataset(table, ours, lables=["a", "b"])


def test_real_file_is_read_whole():
    path = text_oracle.shared_data("ag_news", "dev.tsv")
    ours = text_oracle.preprocessor(sequence_length=64)
    dataset = load_dataset(path, ours, batch_size=256, shuffle=True, seed=1)
    assert sum(len(label) for _, label in dataset) == 2000
