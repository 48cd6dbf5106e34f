"""A client that nobody here wrote: `tritonclient` of NVIDIA."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from fastbert_tf.export.server.service import Service

from ...tiny_texts import TEXTS
from .conftest import live


@pytest.fixture
def client(service: Service) -> Iterator[triton.InferenceServerClient]:
    with live(service) as address:
        with triton.InferenceServerClient(address) as client:
            yield client


def text_tensor(binary: bool = True) -> triton.InferInput:
    tensor = triton.InferInput("text", [len(TEXTS)], "BYTES")
    texts = np.array([text.encode() for text in TEXTS], object)
    return tensor.set_data_from_numpy(texts, binary_data=binary)


def test_health_and_metadata(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("fastbert")
    assert client.is_model_ready("fastbert", "1")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "fastbert-tf"
    assert client.get_model_metadata("fastbert")["name"] == "fastbert"


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False, None])
def test_texts_are_answered_as_the_driver_does(
    client: triton.InferenceServerClient,
    service: Service,
    binary_in: bool,
    binary_out: bool | None,
) -> None:
    names = ["label", "label_id", "probabilities", "exit_index", "truncated"]
    wanted = None
    if binary_out is not None:
        wanted = [triton.InferRequestedOutput(x, binary_out) for x in names]
    reply = client.infer(
        "fastbert",
        [text_tensor(binary_in)],
        outputs=wanted,
        request_id="7",
        parameters={"speed": 0.6},
    )
    expected = service.classifier.predict(TEXTS, speed=0.6)
    label_ids = expected.result.labels
    np.testing.assert_array_equal(reply.as_numpy("label_id"), label_ids)
    received = reply.as_numpy("label").tolist()
    received = [x.decode() if isinstance(x, bytes) else x for x in received]
    assert received == expected.labels
    np.testing.assert_allclose(
        reply.as_numpy("probabilities"), expected.probabilities, atol=1e-6
    )
    assert reply.as_numpy("truncated").tolist() == [True] + 6 * [False]
    assert reply.get_response()["id"] == "7"


def test_a_speed_a_row(
    client: triton.InferenceServerClient, service: Service
) -> None:
    speeds = np.linspace(0, 1, len(TEXTS), dtype=np.float32)
    tensor = triton.InferInput("speed", [len(TEXTS)], "FP32")
    tensor.set_data_from_numpy(speeds)
    reply = client.infer("fastbert", [text_tensor(), tensor])
    expected = service.classifier.predict(TEXTS, speed=speeds)
    np.testing.assert_array_equal(
        reply.as_numpy("exit_index"), expected.exit_index
    )


def test_mistakes_reach_the_caller(
    client: triton.InferenceServerClient,
) -> None:
    with pytest.raises(InferenceServerException, match="No model 'other'"):
        client.infer("other", [text_tensor()])
    with pytest.raises(InferenceServerException, match="in \\[0, 1\\]"):
        client.infer("fastbert", [text_tensor()], parameters={"speed": 2})


def test_its_timeout_is_a_deadline(
    client: triton.InferenceServerClient, service: Service
) -> None:
    client.infer("fastbert", [text_tensor()], timeout=3_000_000)
    assert service.engine.submitted[0][2] == 3.0
