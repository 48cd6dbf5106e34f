"""Failures of the engine, as a client is told them."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import pytest

from fastbert_tf.export import load_classifier
from fastbert_tf.export.server.errors import RequestError
from fastbert_tf.export.server.limits import Limits
from fastbert_tf.export.server.query import Query
from fastbert_tf.export.server.service import Service
from fastbert_tf.segments import TextClassifier
from fastbert_tf.segments.engine import (
    DeadlineExceeded,
    Overloaded,
    SegmentFailed,
)

from .conftest import make_service


def answer(service: Service, query: Query, ago: float = 0.0) -> Any:
    """What the service gives to a query that came some seconds ago."""
    return asyncio.run(service.answer(query, service.clock() - ago))


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (Overloaded("full", 2.3), 503, "3"),
        (Overloaded("full", 0.0), 503, "1"),
        (DeadlineExceeded("late"), 504, None),
        (SegmentFailed("broken"), 500, None),
    ],
)
def test_an_engine_that_refuses_has_a_status(
    service: Service, error: Exception, status: int, retry_after: str | None
) -> None:
    service.engine.error = error
    with pytest.raises(RequestError) as caught:
        answer(service, Query(["a"]))
    assert caught.value.status == status
    assert caught.value.headers.get("Retry-After") == retry_after


def test_the_server_says_what_a_query_leaves_out(
    classifier: TextClassifier,
) -> None:
    limits = Limits(deadline_seconds=5.0)
    service = make_service(classifier, limits)
    reply = answer(service, Query(["a", "b"]), ago=1.0)
    ((texts, speed, seconds, late),) = service.engine.submitted
    assert (texts, speed, late) == (["a", "b"], None, "error")
    assert seconds == 4.0
    assert len(reply["label"]) == 2


def test_a_deadline_counts_from_the_arrival(service: Service) -> None:
    with pytest.raises(RequestError, match="deadline passed") as caught:
        answer(service, Query(["a"], deadline_seconds=0.5), ago=1.0)
    assert caught.value.status == 504
    assert not service.engine.submitted
    assert b'rejects_total{reason="deadline"} 1' in service.metrics.render()


def test_a_text_alone_has_no_second(service: Service) -> None:
    with pytest.raises(RequestError, match="trained on texts. Leave out"):
        answer(service, Query(["a"], ["b"]))


def test_a_pair_has_both_texts(pair_bundle: pathlib.Path) -> None:
    service = make_service(load_classifier(pair_bundle), Limits())
    with pytest.raises(RequestError, match="trained on pairs. Pass `text_b`"):
        answer(service, Query(["a"]))
    reply = answer(service, Query(["a"], ["b"]))
    assert reply["truncated"].tolist() == [False]


def test_classes_without_names_are_numbers(
    classifier: TextClassifier,
) -> None:
    nameless = TextClassifier(classifier.driver, classifier.preprocessor)
    reply = answer(make_service(nameless, Limits()), Query(["a"]))
    assert reply["label"].tolist() == [str(x) for x in reply["label_id"]]


@pytest.mark.parametrize("name", ["", "a/b", "a:predict", "ä"])
def test_a_name_must_fit_into_a_path(service: Service, name: str) -> None:
    given = service.classifier, service.engine, service.metrics
    with pytest.raises(ValueError, match="--model_name"):
        Service(*given, service.limits, name)


def test_late_rows_are_flagged(service: Service) -> None:
    service.engine.late = True
    reply = answer(service, Query(["a"], late="deepest"))
    assert reply["is_late"].tolist() == [True]


def test_stopping_answers_what_is_inside(service: Service) -> None:
    service.stop()
    assert service.engine.is_stopped
