import copy
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import (
    ExitResult,
    ExitRule,
    FastBertClassifier,
    TextPreprocessor,
)
from fastbert_tf.segments import (
    Driver,
    SingleGraphDriver,
    TextClassifier,
)

from ...tiny_texts import LABELS, PAIRS, TEXTS
from ...tolerances import tolerance


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    models: list[FastBertClassifier],
    preprocessor: TextPreprocessor,
) -> pathlib.Path:
    """Of two blocks, trained on single texts."""
    path = tmp_path_factory.mktemp("classifier") / "model"
    models[1].save_pretrained(str(path), preprocessor, LABELS, {"pairs": False})
    return path


@pytest.fixture(scope="module")
def loaded(folder: pathlib.Path) -> TextClassifier:
    return TextClassifier.from_pretrained(folder)


def of_pairs(classifier: TextClassifier, pairs: bool) -> TextClassifier:
    driver, preprocessor = classifier.driver, classifier.preprocessor
    return TextClassifier(driver, preprocessor, LABELS, pairs)


def alone(
    driver: Driver, preprocessor: TextPreprocessor, *columns: list[str]
) -> ExitResult:
    """The answers of one row at a time."""
    return ExitResult.concatenate(
        [
            driver.predict(preprocessor(*([text] for text in row)), 0.5)
            for row in zip(*columns, strict=True)
        ]
    )


def assert_same(one: ExitResult, other: ExitResult) -> None:
    np.testing.assert_array_equal(one.exit_index, other.exit_index)
    np.testing.assert_allclose(one.logits, other.logits, **tolerance())


@pytest.mark.parametrize("rows_per_call", [1, 3, None])
def test_answers_are_those_of_one_text_at_a_time_in_order(
    drivers: list[Driver],
    preprocessor: TextPreprocessor,
    rows_per_call: int | None,
) -> None:
    classifier = TextClassifier(
        drivers[0], preprocessor, LABELS, rows_per_call=rows_per_call
    )
    answers = classifier.predict(TEXTS)
    expected = alone(drivers[0], preprocessor, TEXTS)
    assert_same(answers.result, expected)
    assert list(answers) == [LABELS[i] for i in expected.labels]


def test_pairs_are_read_together(
    drivers: list[Driver],
    preprocessor: TextPreprocessor,
    classifier: TextClassifier,
) -> None:
    answers = classifier.predict(TEXTS, PAIRS)
    assert_same(answers.result, alone(drivers[0], preprocessor, TEXTS, PAIRS))


def test_truncated_rows_are_flagged_in_the_order_given(
    classifier: TextClassifier,
) -> None:
    expected = [len(text.split()) > 7 for text in TEXTS]
    assert classifier.predict(TEXTS).truncated.tolist() == expected
    assert any(expected)


def test_no_texts_give_no_answers(classifier: TextClassifier) -> None:
    answers = classifier.predict([])
    assert (list(answers), answers.to_dicts()) == ([], [])
    assert answers.probabilities.shape == (0, len(LABELS))
    assert answers.truncated.shape == (0,)


def test_huge_and_broken_texts_are_answered(
    classifier: TextClassifier,
) -> None:
    texts = ["good " * 200_000, "x" * 100_000, "bad \ud800", "\0", b"\xff bad"]
    answers = classifier.predict(texts)
    assert set(answers) <= set(LABELS)
    assert answers.truncated.tolist() == [True, False, False, False, False]


def test_one_text_is_refused_where_the_model_is_of_pairs(
    classifier: TextClassifier,
) -> None:
    with pytest.raises(ValueError, match="trained on pairs"):
        of_pairs(classifier, True).predict(TEXTS)
    with pytest.raises(ValueError, match="trained on single texts"):
        of_pairs(classifier, False).predict(TEXTS, PAIRS)
    assert len(of_pairs(classifier, True).predict(TEXTS, PAIRS)) == 7


def test_as_many_second_texts_are_wanted(classifier: TextClassifier) -> None:
    with pytest.raises(ValueError, match="Received: 7 and 6"):
        classifier.predict(TEXTS, PAIRS[:-1])


def test_speed_is_one_value_or_one_a_row(classifier: TextClassifier) -> None:
    deep, shallow = (classifier.predict(TEXTS, speed=x) for x in (0, 1.0))
    speeds = [0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    mixed = classifier.predict(TEXTS, speed=speeds)
    expected = np.where(speeds, shallow.exit_index, deep.exit_index)
    np.testing.assert_array_equal(mixed.exit_index, expected)
    with pytest.raises(ValueError, match="one value or one a row"):
        classifier.predict(TEXTS, speed=speeds[:-1])


def test_a_rule_is_a_speed_too(classifier: TextClassifier) -> None:
    rule = ExitRule([None, 0.0, 1.0, None])  # All leave at M1.
    assert set(classifier.predict(TEXTS, speed=rule).exit_index) == {1}
    rows = [[None, 1.0, None, None], [None] * 4] * 3 + [[None, None, 1.0, 0]]
    received = classifier.predict(TEXTS, speed=ExitRule(rows)).exit_index
    assert received.tolist() == [0, 3, 0, 3, 0, 3, 1]
    stream = classifier.predict_stream(TEXTS, speed=rule)
    assert {answer.exit_index for answer in stream} == {1}
    with pytest.raises(ValueError, match="4 exits"):
        classifier.predict(TEXTS, speed=ExitRule([None, 0.5]))


def test_the_speed_of_the_classifier_is_the_default(
    classifier: TextClassifier,
) -> None:
    fast = TextClassifier(classifier.driver, classifier.preprocessor, speed=1)
    assert not fast.predict(TEXTS).exit_index.any()
    assert classifier.predict(TEXTS).exit_index.any()


def test_a_stream_is_answered_in_order(classifier: TextClassifier) -> None:
    answers = classifier.predict(TEXTS, speed=0.2)
    received = list(classifier.predict_stream(iter(TEXTS), speed=0.2))
    assert received == list(answers.rows())


def test_a_stream_is_read_no_further_than_is_wanted(
    classifier: TextClassifier,
) -> None:
    texts = itertools.count()
    stream = classifier.predict_stream(f"good {i}" for i in texts)
    for _ in range(3):
        next(stream)
    assert next(texts) == 4  # Two calls of two rows.


def test_a_stream_of_pairs_is_answered(classifier: TextClassifier) -> None:
    expected = classifier.predict(TEXTS, PAIRS).rows()
    pairs = zip(TEXTS, PAIRS, strict=True)
    assert list(classifier.predict_stream(pairs)) == list(expected)


def test_an_endless_dataset_is_a_stream(classifier: TextClassifier) -> None:
    dataset = tf.data.Dataset.from_tensors("good\0").repeat()
    answers = itertools.islice(classifier.predict_stream(dataset), 3)
    assert len({answer.label for answer in answers}) == 1


def test_a_stream_has_one_speed(classifier: TextClassifier) -> None:
    with pytest.raises(ValueError, match=r"shape \(7,\)"):
        classifier.predict_stream(TEXTS, speed=[0.5] * 7)
    with pytest.raises(ValueError, match="one value or rule for all rows"):
        classifier.predict_stream(TEXTS, speed=[0.5])


def test_a_stream_is_refused_before_it_is_read(
    classifier: TextClassifier,
) -> None:
    def unread() -> Iterator[str]:
        raise AssertionError
        yield ""

    with pytest.raises(ValueError, match="speed=1.5"):
        classifier.predict_stream(unread(), speed=1.5)


def test_the_score_is_the_share_of_labels_hit(
    classifier: TextClassifier,
) -> None:
    labels = list(classifier.predict(TEXTS))
    assert classifier.score(TEXTS, labels) == 1
    other = next(name for name in LABELS if name != labels[0])
    labels[0] = other
    assert classifier.score(TEXTS, np.array(labels)) == 6 / 7


def test_without_names_the_score_takes_class_numbers(
    classifier: TextClassifier,
) -> None:
    bare = TextClassifier(classifier.driver, classifier.preprocessor)
    labels = np.array(bare.predict(TEXTS).labels)
    assert bare.score(TEXTS, labels) == 1
    with pytest.raises(ValueError, match="Received: 5"):
        bare.score(TEXTS, [5] * 7)


def test_unknown_labels_are_refused(classifier: TextClassifier) -> None:
    with pytest.raises(ValueError, match="Received: 'five', 1"):
        classifier.score(["good", "bad"], ["five", 1])


def test_a_folder_brings_labels_pairs_and_preprocessing(
    loaded: TextClassifier, drivers: list[Driver]
) -> None:
    assert loaded.labels == tuple(LABELS)
    assert (loaded.pairs, loaded.speed) == (False, 0.5)
    assert loaded.config == drivers[1].config
    assert loaded.driver.max_batch_size == 32
    expected = alone(drivers[1], loaded.preprocessor, TEXTS)
    assert_same(loaded.predict(TEXTS).result, expected)


def test_latency_is_the_single_graph(
    folder: pathlib.Path, loaded: TextClassifier
) -> None:
    single = TextClassifier.from_pretrained(
        folder, purpose="latency", max_batch_size=3
    )
    assert isinstance(single.driver, SingleGraphDriver)
    assert single.rows_per_call == 3
    assert_same(single.predict(TEXTS).result, loaded.predict(TEXTS).result)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"purpose": "speed"}, "Received: purpose='speed'"),
        ({"precision": "int3"}, "Received: precision='int3'"),
        ({"max_batch_size": 0}, "max_batch_size"),
    ],
)
def test_options_are_checked(
    folder: pathlib.Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TextClassifier.from_pretrained(folder, **options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": ["a", "b"]}, "`labels` must be 5"),
        ({"speed": 2}, "speed=2"),
        ({"speed": [0.5]}, "one value or rule for all rows"),
        ({"pairs": "yes"}, "pairs='yes'"),
        ({"rows_per_call": -1}, "rows_per_call=-1"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(
    classifier: TextClassifier, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TextClassifier(classifier.driver, classifier.preprocessor, **given)


def test_a_preprocessor_of_another_model_is_refused(
    classifier: TextClassifier, drivers: list[Driver]
) -> None:
    preprocessor = copy.copy(classifier.preprocessor)
    preprocessor._sequence_length = 12  # The model has 11 positions.
    with pytest.raises(ValueError, match="Received: 12"):
        TextClassifier(drivers[0], preprocessor)
