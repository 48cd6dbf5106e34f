"""Failures of the engine, as a client is told them."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from fastbert_tf import TextPreprocessor
from fastbert_tf.export import Usage
from fastbert_tf.export.server.errors import RequestError
from fastbert_tf.export.server.limits import Limits
from fastbert_tf.export.server.query import Query
from fastbert_tf.export.server.served_model import ServedModel
from fastbert_tf.export.server.service import Service
from fastbert_tf.segments.engine.pooled_engine import (
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


def test_the_bundle_and_the_server_say_what_a_query_leaves_out(
    served_model: ServedModel,
) -> None:
    limits = Limits(deadline_seconds=5.0)
    service = make_service(served_model, limits)
    reply = answer(service, Query(["a", "b"]), ago=1.0)
    ((inputs, speed, seconds, late),) = service.engine.submitted
    assert (len(inputs["token_ids"]), speed, late) == (2, 0.25, "error")
    assert seconds == 4.0
    assert len(reply["label"]) == 2


def test_a_deadline_counts_from_the_arrival(service: Service) -> None:
    with pytest.raises(RequestError, match="deadline passed") as caught:
        answer(service, Query(["a"], deadline_seconds=0.5), ago=1.0)
    assert caught.value.status == 504
    assert not service.engine.submitted
    assert b'rejects_total{reason="deadline"} 1' in service.metrics.render()


def test_a_deadline_without_hope_is_refused_before_the_texts_are_encoded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    monkeypatch.setattr(ServedModel, "encode", encoded.append)
    service.engine.hopeless = Overloaded("deadline", 1.5)
    with pytest.raises(RequestError, match="more to do") as caught:
        answer(service, Query(["a"], deadline_seconds=0.5))
    assert caught.value.status == 503
    assert caught.value.headers == {"Retry-After": "2"}
    assert not encoded


def test_a_text_alone_has_no_second(service: Service) -> None:
    with pytest.raises(RequestError, match="trained on texts. Leave out"):
        answer(service, Query(["a"], ["b"]))


def test_late_rows_are_flagged(service: Service) -> None:
    service.engine.late = True
    reply = answer(service, Query(["a"], late="deepest"))
    assert reply["is_late"].tolist() == [True]


@pytest.mark.parametrize(
    ("pairs", "encoded"),
    [
        (False, [([""],)]),
        (True, [([""], [""])]),
        (None, [([""],), ([""], [""])]),
    ],
)
def test_all_that_requests_need_is_warmed_up(
    served_model: ServedModel,
    monkeypatch: pytest.MonkeyPatch,
    pairs: bool | None,
    encoded: list[Any],
) -> None:
    usage = Usage(pairs=pairs)
    manifest = dataclasses.replace(served_model.manifest, usage=usage)
    model = dataclasses.replace(served_model, manifest=manifest)
    seen = []
    monkeypatch.setattr(
        TextPreprocessor, "encode", lambda self, *texts: seen.append(texts)
    )
    service = make_service(model, Limits())
    service.warm_up()
    assert seen == encoded
    assert service.engine.warmed_length == 9


def test_stopping_answers_what_is_inside(service: Service) -> None:
    service.stop()
    assert service.engine.is_stopped
