from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from typing import Any

import numpy as np
import pytest

from fastbert_tf.segments import (
    Driver,
    SingleGraphDriver,
    TextClassifier,
    TextEngine,
)
from fastbert_tf.segments.engine import (
    DeadlineExceeded,
    EngineAnswer,
    Overloaded,
)

from ...tiny_texts import LABELS, PAIRS, TEXTS
from .text_classifier_test import assert_same

SECONDS = 60.0


@pytest.fixture(scope="module")
def engine(classifier: TextClassifier) -> Iterator[TextEngine]:
    """Warm."""
    with classifier.engine(max_enqueued_rows=16) as engine:
        engine.warm_up()
        yield engine


class Held:
    """An engine that keeps every request, and what it was given."""

    max_enqueued_rows = 16

    def __init__(self) -> None:
        self.given = []
        self.checked = []
        self.future = Future()

    def check_deadline(self, seconds: float | None) -> None:
        self.checked.append(seconds)

    def submit(self, *given: Any) -> Future:
        self.given.append(given)
        return self.future


def held(classifier: TextClassifier, clock: Any = None) -> TextEngine:
    return TextEngine(Held(), classifier.preprocessor, LABELS, clock=clock)


@pytest.mark.parametrize("texts_b", [None, PAIRS])
def test_answers_are_those_of_the_classifier(
    classifier: TextClassifier, engine: TextEngine, texts_b: list[str] | None
) -> None:
    future = engine.submit(TEXTS, texts_b, 0.2)
    answers = future.result(SECONDS)
    expected = classifier.predict(TEXTS, texts_b, 0.2)
    assert answers.labels == expected.labels
    assert answers.truncated.tolist() == expected.truncated.tolist()
    assert_same(answers.result, expected.result)
    assert answers.is_late.tolist() == [False] * len(TEXTS)


def test_no_texts_are_answered(engine: TextEngine) -> None:
    assert list(engine.submit([]).result(SECONDS)) == []


def test_it_is_ready_once_it_is_warm(engine: TextEngine) -> None:
    assert engine.is_ready
    assert engine.pool_sizes == [0] * 4
    assert engine.max_enqueued_rows == 16


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"texts": "good"}, "Received: one str"),
        ({"texts": ["good"] * 17}, "at most 16 rows. Received: 17"),
        ({"texts": ["good"], "speed": 2.0}, "speed=2.0"),
        ({"texts": ["good"], "late": "never"}, "late='never'"),
        ({"texts": ["good"], "texts_b": []}, "Received: 1 and 0"),
    ],
)
def test_mistakes_are_refused_at_once(
    engine: TextEngine, given: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        engine.submit(**given)


def test_a_deadline_that_has_passed_is_refused(engine: TextEngine) -> None:
    with pytest.raises(Overloaded, match="deadline"):
        engine.submit(["good"], deadline_seconds=-1.0)


def test_the_default_speed_is_that_of_the_classifier(
    classifier: TextClassifier,
) -> None:
    fast = TextClassifier(classifier.driver, classifier.preprocessor, speed=1)
    with fast.engine() as engine:
        answers = engine.submit(TEXTS).result(SECONDS)
    assert not answers.exit_index.any()


def test_what_encoding_takes_is_of_the_deadline(
    classifier: TextClassifier,
) -> None:
    clock = iter([10.0, 10.5])
    engine = held(classifier, lambda: next(clock))
    engine.submit(["good"], speed=0.2, deadline_seconds=2.0, late="deepest")
    ((inputs, *others),) = engine.engine.given
    assert engine.engine.checked == [2.0]
    assert others == [0.2, 1.5, "deepest"]
    assert inputs["token_ids"].dtype == np.int32


def test_late_rows_are_flagged(classifier: TextClassifier) -> None:
    engine = held(classifier, lambda: 0.0)
    future = engine.submit(TEXTS)
    result = classifier.predict(TEXTS).result
    is_late = np.arange(len(TEXTS)) == 2
    engine.engine.future.set_result(EngineAnswer(result, is_late))
    answers = future.result(SECONDS)
    np.testing.assert_array_equal(answers.is_late, is_late)
    assert [answer.is_late for answer in answers.rows()] == is_late.tolist()


def test_errors_pass_through(classifier: TextClassifier) -> None:
    engine = held(classifier, lambda: 0.0)
    future = engine.submit(TEXTS)
    engine.engine.future.set_exception(DeadlineExceeded())
    with pytest.raises(DeadlineExceeded):
        future.result(SECONDS)


def test_cancelling_takes_the_rows_out(classifier: TextClassifier) -> None:
    engine = held(classifier, lambda: 0.0)
    future = engine.submit(TEXTS)
    assert future.cancel()
    assert engine.engine.future.cancelled()
    with pytest.raises(CancelledError):
        future.result(SECONDS)


def test_rows_the_engine_drops_are_cancelled(
    classifier: TextClassifier,
) -> None:
    engine = held(classifier, lambda: 0.0)
    future = engine.submit(TEXTS)
    assert engine.engine.future.cancel()
    with pytest.raises(CancelledError):
        future.result(SECONDS)


def test_one_graph_has_no_engine(
    classifier: TextClassifier, models: list[Any]
) -> None:
    single = TextClassifier(
        SingleGraphDriver(models[1]), classifier.preprocessor
    )
    with pytest.raises(ValueError, match="purpose='throughput'"):
        single.engine()


def test_options_are_those_of_the_pooled_engine(
    classifier: TextClassifier, drivers: list[Driver]
) -> None:
    assert classifier.engine().engine.max_batch_size == 2
    assert classifier.engine(max_batch_size=5).engine.max_batch_size == 5
    plain = TextClassifier(drivers[0], classifier.preprocessor)
    assert plain.engine().engine.max_batch_size == 32
    with pytest.raises(TypeError, match="max_rows"):
        classifier.engine(max_rows=3)
