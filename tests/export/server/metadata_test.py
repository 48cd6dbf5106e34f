"""What the protocols say of the model."""

import httpx

from fastbert_tf.export.server.reply import OUTPUTS


def test_the_open_inference_protocol_names_the_tensors(
    client: httpx.Client,
) -> None:
    seen = client.get("/v2/models/fastbert/versions/1").json()
    assert [x["name"] for x in seen["inputs"]] == ["text", "speed"]
    assert [x["name"] for x in seen["outputs"]] == list(OUTPUTS)
    shapes = {x["name"]: x["shape"] for x in seen["outputs"]}
    assert shapes["probabilities"] == [-1, 5]
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]


def test_tensorflow_serving_says_that_the_model_is_there(
    client: httpx.Client,
) -> None:
    seen = client.get("/v1/models/fastbert").json()
    (version,) = seen["model_version_status"]
    assert (version["version"], version["state"]) == ("1", "AVAILABLE")


def test_tensorflow_serving_names_the_signature(client: httpx.Client) -> None:
    seen = client.get("/v1/models/fastbert/metadata").json()
    signatures = seen["metadata"]["signature_def"]["signature_def"]
    signature = signatures["serving_default"]
    assert signature["inputs"]["text"]["dtype"] == "DT_STRING"
    assert set(signature["outputs"]) == set(OUTPUTS)
