"""Rows over HTTP, to a server that says what it is told to say."""

from __future__ import annotations

import dataclasses
import http.server
import importlib.util
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fastbert_tf.segments.benchmarks.http_model import HttpModel, Refused
from fastbert_tf.segments.benchmarks.loadgen_runs import (
    run_loadgen_scenarios,
)
from fastbert_tf.segments.benchmarks.open_loop import OpenLoop, to_server
from fastbert_tf.segments.benchmarks.options import BenchmarkOptions
from fastbert_tf.segments.benchmarks.server import run_server
from fastbert_tf.segments.benchmarks.workload import Workload, forced_workload

from ...tiny_models import tiny_config

pytest.importorskip("httpx", reason="httpx is not installed")
INSTANCES = [{"text": "a"}, {"text": "b", "text_b": "ü"}]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the server's next status, and keeps what was asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        self.server.asked.append((self.path, json.loads(self.rfile.read(size))))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status is None:
            self.close_connection = True
            return
        body = json.dumps({"predictions": [{"label_id": 7}]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def workload() -> Workload:
    """Two rows, which are `INSTANCES` of a server."""
    made = forced_workload(tiny_config(), np.array([2, 3]))
    return dataclasses.replace(made, instances=INSTANCES)


@pytest.fixture
def server() -> Iterator[Any]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.statuses = [], []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def model(server: Any) -> Iterator[HttpModel]:
    url = f"http://127.0.0.1:{server.server_port}/v1/models/mine"
    with HttpModel(url, INSTANCES, num_connections=2) as model:
        yield model


def test_a_row_is_asked_with_its_speed_and_its_deadline(
    server: Any, model: HttpModel
) -> None:
    assert model.ask(1, 0.25, 2.5) == {"label_id": 7}
    assert model.ask(0, 0.0) == {"label_id": 7}
    assert server.asked == [
        (
            "/v1/models/mine:predict",
            {
                "instances": [{"text": "b", "text_b": "ü", "speed": 0.25}],
                "deadline_millis": 2500,
            },
        ),
        (
            "/v1/models/mine:predict",
            {"instances": [{"text": "a", "speed": 0.0}]},
        ),
    ]


@pytest.mark.parametrize("status", [429, 503, 504])
def test_overload_is_no_failure(
    server: Any, model: HttpModel, status: int
) -> None:
    server.statuses.append(status)
    with pytest.raises(Refused, match=str(status)):
        model.ask(0, 0.5)


def test_another_status_is_a_failure(server: Any, model: HttpModel) -> None:
    server.statuses.append(404)
    with pytest.raises(OSError, match="answered 404"):
        model.ask(0, 0.5)


def test_a_server_that_was_away_is_asked_again(
    server: Any, model: HttpModel
) -> None:
    server.statuses += [200, None]
    model.ask(0, 0.5)
    with pytest.raises(OSError, match="does not answer: RemoteProtocolError"):
        model.ask(0, 0.5)
    assert model.ask(0, 0.5) == {"label_id": 7}


def test_without_httpx_the_way_to_get_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"fastbert-tf\[http\]"):
        HttpModel("http://localhost:8000/v1/models/mine", INSTANCES)


def test_a_row_past_its_deadline_is_not_sent(
    server: Any, model: HttpModel
) -> None:
    with pytest.raises(Refused, match="before the row was sent"):
        model.submit(0, 0.5, -1.0).result()
    assert not server.asked


@pytest.mark.parametrize(
    "url", ["localhost", "http://localhost:8000", "https://x/v1/models/m", ""]
)
def test_an_address_that_is_no_model_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="`--urls` must be models"):
        HttpModel(url, INSTANCES)


def test_rows_are_sent_to_a_server_and_refusals_take_for_ever(
    server: Any, model: HttpModel, workload: Workload
) -> None:
    server.statuses += [503]
    submit = to_server(model, workload, workload.at_histogram((1, 1, 0, 0)))
    seconds = OpenLoop(submit, 2, 60.0).play(np.array([0.0, 0.1]))
    assert seconds[0] == np.inf
    assert 0 < seconds[1] < 60


def test_a_server_that_fails_is_not_taken_for_one_that_refuses(
    server: Any, model: HttpModel, workload: Workload
) -> None:
    server.statuses += [200, 500]
    submit = to_server(model, workload, workload.at_histogram((1, 1, 0, 0)))
    with pytest.raises(OSError, match="answered 500"):
        OpenLoop(submit, 2, 60.0).play(np.array([0.0, 0.1]))


def asking(url: str, **given: Any) -> BenchmarkOptions:
    """Options of one server and no drivers."""
    return BenchmarkOptions(
        tiny_config(),
        model_dir="model/",
        test_path="dev.tsv",
        drivers=(),
        urls=(url,),
        **given,
    )


def test_servers_are_measured_beside_the_same_weights(
    server: Any, workload: Workload
) -> None:
    url = f"http://127.0.0.1:{server.server_port}/v1/models/mine"
    options = asking(url, loads=(0.01,), num_arrivals=3)
    setting = workload.at_histogram((1, 1, 0, 0))
    _, record = run_server(workload, [setting], options)
    assert record.variant == "server mine"
    assert record.setting == setting.name
    assert record.precision is record.accuracy is None
    assert record.share_unanswered == 0
    assert len(server.asked) == 4  # One to see whether it is there.


@pytest.mark.slow
def test_loadgen_asks_a_server_in_its_server_scenario(
    server: Any, workload: Workload
) -> None:
    pytest.importorskip("mlperf_loadgen", reason="LoadGen is not installed")
    url = f"http://127.0.0.1:{server.server_port}/v1/models/mine"
    options = asking(url, loadgen_millis=100)
    setting = workload.at_histogram((1, 1, 0, 0))
    *_, record = run_loadgen_scenarios(workload, [setting], options)
    assert record.variant == "server mine"
    assert record.loadgen_scenario == "server"
    assert record.precision is None
    assert record.num_queries == len(server.asked) - 1  # One to warm it up.


def test_a_server_that_is_not_there_is_noticed_at_once(
    workload: Workload,
) -> None:
    url = "http://127.0.0.1:1/v1/models/mine"
    options = asking(url)
    message = "127.0.0.1:1/v1/models/mine:predict does not answer: ConnectError"
    with pytest.raises(OSError, match=message):
        list(run_server(workload, [workload.at_speed(0.5)], options))
