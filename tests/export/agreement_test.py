"""Every way to an answer gives what `simulate_exits` does, on real text."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import FastBertClassifier, TextPreprocessor, simulate_exits
from fastbert_tf.export import (
    export_segments,
    load_classifier,
    load_preprocessor,
    load_segments,
)
from fastbert_tf.export.beam import score
from fastbert_tf.export.bundle.serving_signatures import SERVING
from fastbert_tf.export.server.limits import Limits
from fastbert_tf.segments import Driver, PooledDriver, TextClassifier
from tests.fastbert_tf.text.text_oracle import shared_data

from ..segments.driver_test import settled
from ..tiny_models import random_model
from .beam.conftest import read
from .conftest import LABELS
from .server.conftest import live, make_service

SPEEDS = [0.0, 0.1, 0.5, 0.8]
ROWS_A_CALL = 50


class Answered(NamedTuple):
    """What a way said of N texts: int `[N]` each."""

    labels: list[int]
    exit_index: list[int]


class Rows(NamedTuple):
    """Texts, and what every exit says of them."""

    texts: list[str]
    exit_logits: np.ndarray


Way = Callable[[float], Answered]


@pytest.fixture(scope="module")
def model() -> FastBertClassifier:
    return random_model(36, vocab_size=30522, max_position_embeddings=64)


@pytest.fixture(scope="module")
def bundle(
    model: FastBertClassifier, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    vocabulary = shared_data("vocab", "bert-base-uncased.txt")
    preprocessor = TextPreprocessor.from_pretrained(vocabulary, 64)
    path = tmp_path_factory.mktemp("agreement") / "bundle"
    export_segments(
        model,
        path,
        preprocessor,
        LABELS,
        pairs=False,
        serving=True,
    )
    return path


@pytest.fixture(scope="module")
def rows(model: FastBertClassifier, bundle: pathlib.Path) -> Rows:
    lines = shared_data("ag_news", "dev.tsv").read_text("utf-8").splitlines()
    texts = [line.split("\t")[1] for line in lines[1:]]
    return Rows(texts, model.exit_logits(load_preprocessor(bundle)(texts)))


def calls(texts: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), ROWS_A_CALL):
        yield texts[start : start + ROWS_A_CALL]


def of_driver(driver: Any, bundle: pathlib.Path, texts: list[str]) -> Way:
    inputs = load_preprocessor(bundle)(texts)

    def answer(speed: float) -> Answered:
        result = driver.predict(inputs, speed)
        return Answered(result.labels.tolist(), result.exit_index.tolist())

    return answer


def of_saved_model(bundle: pathlib.Path, texts: list[str]) -> Way:
    signatures = tf.saved_model.load(str(bundle / SERVING)).signatures

    def answer(speed: float) -> Answered:
        answered = Answered([], [])
        for part in calls(texts):
            outputs = signatures["with_speed"](
                text=tf.constant(part), speed=tf.fill([len(part)], speed)
            )
            answered.labels.extend(outputs["label_id"].numpy().tolist())
            answered.exit_index.extend(outputs["exit_index"].numpy().tolist())
        return answered

    return answer


def of_server(address: str, texts: list[str]) -> Way:
    url = f"http://{address}/v1/models/fastbert:predict"

    def answer(speed: float) -> Answered:
        answered = Answered([], [])
        for part in calls(texts):
            instances = [{"text": text, "speed": speed} for text in part]
            query = {"instances": instances}
            reply = httpx.post(url, json=query, timeout=60)
            for row in reply.json()["predictions"]:
                answered.labels.append(row["label_id"])
                answered.exit_index.append(row["exit_index"])
        return answered

    return answer


def of_beam(bundle: pathlib.Path, texts: list[str], folder: Any) -> Way:
    pytest.importorskip("apache_beam", reason="the extra `beam` is missing")
    corpus = folder / "corpus.jsonl"
    lines = (json.dumps({"text_a": text}) for text in texts)
    corpus.write_text("\n".join(lines), encoding="utf-8")

    def answer(speed: float) -> Answered:
        output = folder / f"scores {speed}"
        score(str(bundle), str(corpus), str(output), speed=speed)
        records = sorted(read(output), key=lambda record: record["line"])
        labels = [LABELS.index(record["label"]) for record in records]
        return Answered(labels, [record["exit_index"] for record in records])

    return answer


def of_openvino(
    model: FastBertClassifier, bundle: pathlib.Path, texts: list[str]
) -> Way:
    pytest.importorskip("openvino", reason="the extra `openvino` is missing")
    path = bundle.with_name("on openvino")
    export_segments(model, path, load_preprocessor(bundle), format="openvino")
    return of_driver(PooledDriver(load_segments(path)), path, texts)


WAYS = ["driver", "pools", "openvino", "serving", "http"]


@pytest.fixture(scope="module", params=WAYS)
def way(
    request: Any, model: FastBertClassifier, bundle: pathlib.Path, rows: Rows
) -> Iterator[Way]:
    if request.param == "openvino":
        yield of_openvino(model, bundle, rows.texts)
    elif request.param == "http":
        with live(
            make_service(
                load_classifier(bundle), Limits(), TextClassifier.engine
            )
        ) as address:
            yield of_server(address, rows.texts)
    elif request.param == "serving":
        yield of_saved_model(bundle, rows.texts)
    else:
        make = {"driver": Driver, "pools": PooledDriver}[request.param]
        yield of_driver(make(load_segments(bundle)), bundle, rows.texts)


def assert_agrees(answer: Way, rows: Rows, speed: float) -> None:
    """Rows within rounding of leaving are counted, and left out."""
    expected = simulate_exits(rows.exit_logits, speed)
    kept = settled(rows.exit_logits, speed)
    assert kept.mean() > 0.99
    answered = answer(speed)
    for received, exact in (
        (answered.labels, expected.labels),
        (answered.exit_index, expected.exit_index),
    ):
        np.testing.assert_array_equal(np.array(received)[kept], exact[kept])


@pytest.mark.slow
@pytest.mark.parametrize("speed", SPEEDS)
def test_every_way_answers_ag_news_as_the_oracle_does(
    way: Way, rows: Rows, speed: float
) -> None:
    assert_agrees(way, rows, speed)


@pytest.mark.slow
@pytest.mark.parametrize("speed", SPEEDS)
def test_beam_answers_ag_news_as_the_oracle_does(
    bundle: pathlib.Path, rows: Rows, speed: float, tmp_path: pathlib.Path
) -> None:
    assert_agrees(of_beam(bundle, rows.texts, tmp_path), rows, speed)
