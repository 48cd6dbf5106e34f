"""What every exit says of one text."""

import numpy as np
import pytest

from fastbert_tf import FastBertClassifier
from fastbert_tf.evaluation.flops import count_flops
from fastbert_tf.exits import simulate_exits
from fastbert_tf.export.server.errors import RequestError
from fastbert_tf.export.server.explaining import explain
from fastbert_tf.export.server.query import Query
from fastbert_tf.segments import TextClassifier


def test_every_exit_says_what_the_model_says(
    classifier: TextClassifier, models: list[FastBertClassifier]
) -> None:
    text = "a very good film . one two three four"
    seen = explain(classifier, Query([text]))
    logits = models[1].exit_logits(classifier.preprocessor([text]))
    assert (seen["length"], seen["truncated"]) == (9, True)
    assert [x["exit_index"] for x in seen["exits"]] == [0, 1]
    for one, said in zip(logits, seen["exits"], strict=True):
        expected = simulate_exits(one[None], 0.0)
        np.testing.assert_allclose(
            said["probabilities"], expected.probabilities[0], atol=1e-5
        )
        assert said["label_id"] == expected.labels[0]
        assert said["uncertainty"] == pytest.approx(
            expected.uncertainty[0], abs=1e-5
        )


def test_flops_are_those_of_a_row_that_leaves_there(
    classifier: TextClassifier,
) -> None:
    seen = explain(classifier, Query(["dull"]))
    flops = count_flops(classifier.config, 3)
    first, last = (x["flops_speedup"] for x in seen["exits"])
    assert first == pytest.approx(flops.full_depth / flops.leaving_at(0))
    assert last == pytest.approx(flops.full_depth / flops.leaving_at(1))
    assert last < 1 < first


def test_the_page_is_told_where_the_text_leaves_at_every_speed(
    classifier: TextClassifier, models: list[FastBertClassifier]
) -> None:
    text = "a very good film . one two three four"
    seen = explain(classifier, Query([text]))
    logits = models[1].exit_logits(classifier.preprocessor([text])).numpy()
    speeds = np.linspace(0, 1, 101, dtype=np.float32)
    assert len(seen["at_speed"]) == 101
    for speed, step in zip(speeds, seen["at_speed"], strict=True):
        expected = simulate_exits(logits, speed).exit_index[0]
        assert seen["exits"][step["place"]]["exit_index"] == expected
    assert seen["at_speed"][0]["flops_speedup"] == 1.0


def test_a_text_alone_has_no_second(classifier: TextClassifier) -> None:
    with pytest.raises(RequestError, match="text_b"):
        explain(classifier, Query(["a"], ["b"]))
