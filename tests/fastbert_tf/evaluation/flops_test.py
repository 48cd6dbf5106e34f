"""FLOPs: the published numbers, and a product-by-product count of ours."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf.config import FastBertConfig
from fastbert_tf.evaluation.flops import count_flops
from fastbert_tf.exit_classifier import ExitClassifier
from fastbert_tf.layers import Block

BASE = FastBertConfig()
TINY = FastBertConfig(
    vocab_size=11,
    hidden_size=12,
    num_hidden_layers=3,
    num_attention_heads=2,
    intermediate_size=20,
    num_classes=5,
    classifier_hidden_size=8,
)


def test_paper_convention_gives_the_published_numbers():
    counts = count_flops(BASE, 128, "paper")
    assert counts.block == 1_811_939_328
    assert counts.exit_classifier == 41_975_808
    assert counts.full_depth == 21_785_247_744


@pytest.mark.parametrize("num_classes", [2, 14])
def test_paper_classifier_leaves_the_last_dense_layer_out(num_classes):
    config = BASE.replace(num_classes=num_classes)
    assert count_flops(config, 128, "paper").exit_classifier == 41_975_808


@pytest.mark.parametrize("num_classes", [2, 5])
def test_classifier_of_bert_base_has_the_published_parameters(num_classes):
    layer = ExitClassifier(BASE.replace(num_classes=num_classes))
    layer.build()
    assert layer.count_params() == 180_992 + 129 * num_classes


def test_single_query_saves_a_fifth_of_a_classifier():
    counts = count_flops(BASE, 128)
    assert counts.exit_classifier / 1e6 == pytest.approx(33.7, abs=0.05)


def test_full_block_adds_two_products_of_every_pair_of_positions():
    full, paper = count_flops(TINY, 7), count_flops(TINY, 7, "paper")
    scores_and_values = 2 * (2 * 7 * 7 * 12)
    assert full.block - paper.block == scores_and_values


@pytest.mark.parametrize("pooling", ["first", "last", "max"])
def test_full_count_is_that_of_the_traced_matrix_products(pooling):
    config = TINY.replace(classifier_pooling=pooling)
    counts = count_flops(config, 7)
    assert counts.exit_classifier == _traced_flops(ExitClassifier(config), 7)
    assert counts.block == _traced_flops(Block(config), 7)


@pytest.mark.parametrize("convention", ["full", "paper"])
def test_an_array_of_lengths_gives_the_count_of_each(convention):
    lengths = np.array([1, 7, 131_072], np.int32)
    arrays = count_flops(TINY, lengths, convention)
    for i, length in enumerate(lengths.tolist()):
        one = count_flops(TINY, length, convention)
        assert arrays.block[i] == one.block
        assert arrays.exit_classifier[i] == one.exit_classifier
        assert arrays.full_depth[i] == one.full_depth
        assert arrays.embeddings[i] == one.embeddings == 0


def test_leaving_costs_every_block_and_classifier_on_the_way():
    counts = count_flops(TINY, 7)
    block, exit_ = counts.block, counts.exit_classifier
    assert counts.leaving_at(0) == counts.alone_at(0) == block + exit_
    assert counts.leaving_at(2) == 3 * block + 3 * exit_
    assert counts.alone_at(2) == counts.full_depth == 3 * block + exit_


def test_leaving_takes_an_exit_a_row():
    counts = count_flops(TINY, np.array([4, 7]))
    costs = counts.leaving_at(np.array([2, 0], np.int32))
    assert costs[0] == count_flops(TINY, 4).leaving_at(2)
    assert costs[1] == count_flops(TINY, 7).leaving_at(0)


@pytest.mark.parametrize("exit_index", [-1, 3, np.array([0, 3])])
def test_an_exit_the_model_has_not_is_refused(exit_index):
    with pytest.raises(ValueError, match=r"in \[0, 3\)\. Received"):
        count_flops(TINY, 7).leaving_at(exit_index)


@pytest.mark.parametrize("length", [0, np.array([3, -1])])
def test_a_length_below_one_is_refused(length):
    with pytest.raises(ValueError, match="`length` must be 1 or more"):
        count_flops(TINY, length)


def test_a_fractional_length_is_refused():
    with pytest.raises(TypeError, match="whole number of tokens"):
        count_flops(TINY, 7.5)


def test_an_unknown_convention_is_refused():
    with pytest.raises(ValueError, match="convention='thop'"):
        count_flops(TINY, 7, "thop")


def _traced_flops(layer, length):
    """2 per multiply-add of every matrix product in the layer's graph.

    It is the graph of training, in which nothing is folded away; dropout
    adds no product.
    """
    layer.build()
    call = functools.partial(layer.call, training=True)
    graph = tf.function(call, autograph=False).get_concrete_function(
        tf.TensorSpec([1, length, TINY.hidden_size], tf.float32),
        tf.TensorSpec([1, length], tf.int32),
    )
    products = [
        op for op in graph.graph.get_operations() if "MatMul" in op.type
    ]
    assert products
    return sum(_product_flops(op) for op in products)


def _product_flops(op):
    left, result = op.inputs[0].shape, op.outputs[0].shape
    transposed = [k for k in ("transpose_a", "adj_x") if k in op.node_def.attr]
    assert not op.get_attr(transposed[0])
    return 2 * result.num_elements() * left[-1]


def test_the_exits_of_a_driver_do_not_overflow():
    counts = count_flops(FastBertConfig(), 128)
    exit_index = np.array([0, 11], np.int32)
    assert counts.leaving_at(exit_index).tolist() == [
        counts.leaving_at(0),
        counts.leaving_at(11),
    ]


def test_exits_that_are_not_asked_cost_nothing():
    counts = count_flops(FastBertConfig(), 128)
    block, exit_ = counts.block, counts.exit_classifier
    assert counts.leaving_at(11, exits=[11]) == counts.full_depth
    assert counts.leaving_at(4, exits=(1, 4, 11)) == 5 * block + 2 * exit_
    costs = counts.leaving_at(np.array([4, 1]), exits=(1, 4, 11))
    assert costs.tolist() == [5 * block + 2 * exit_, 2 * block + exit_]
