"""The warm-up file, read with the messages of TensorFlow Serving."""

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from fastbert_tf import FastBertClassifier, TextPreprocessor
from fastbert_tf.export import export_segments, read_bundle_manifest
from fastbert_tf.export.bundle.serving_signatures import SERVING
from fastbert_tf.export.tensorflow_serving.warmup import (
    WARMUP_FILE,
    write_warmup,
)


def logs(folder: pathlib.Path) -> list[Any]:
    records = tf.data.TFRecordDataset(str(folder / WARMUP_FILE))
    parse = prediction_log_pb2.PredictionLog.FromString
    return [parse(record) for record in records.as_numpy_iterator()]


def request_of(log: Any) -> Any:
    """The request, of whichever kind, and what its signature is called with."""
    if log.HasField("classify_log"):
        request = log.classify_log.request
        examples = request.input.example_list.examples
        given = [example.SerializeToString() for example in examples]
        return request, {"inputs": tf.constant(given)}
    request = log.predict_log.request
    return request, {
        name: tf.constant(tf.make_ndarray(value))
        for name, value in request.inputs.items()
    }


@pytest.mark.slow
def test_every_signature_is_asked_and_answers(
    served_bundle: pathlib.Path, signatures: Any
) -> None:
    asked = set()
    for log in logs(served_bundle / SERVING):
        request, given = request_of(log)
        asked.add(request.model_spec.signature_name)
        answers = signatures[request.model_spec.signature_name](**given)
        if "speed" in given:
            assert answers["exit_index"].numpy().tolist() == [2]
    assert asked == set(read_bundle_manifest(served_bundle).signatures[SERVING])


@pytest.mark.parametrize("pairs", [False, True])
def test_a_text_is_as_long_as_the_pool_it_warms(
    served_bundle: pathlib.Path,
    long_preprocessor: TextPreprocessor,
    tmp_path: pathlib.Path,
    pairs: bool,
) -> None:
    table = read_bundle_manifest(served_bundle).signatures[SERVING]
    name = "pairs" if pairs else "serving_default"
    write_warmup(str(tmp_path), {**table, "serving_default": table[name]}, [16])
    for log in logs(tmp_path):
        request, given = request_of(log)
        if request.model_spec.signature_name == name:
            mask = long_preprocessor(*given.values())["padding_mask"]
            assert mask.shape == (1, 16)
            assert np.all(mask == 1)


def test_without_the_extra_the_package_is_named_and_nothing_written(
    models: list[FastBertClassifier],
    preprocessor: TextPreprocessor,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    path = tmp_path / "bundle"
    with pytest.raises(ImportError, match=r"fastbert-tf\[serving\]"):
        export_segments(models[1], path, preprocessor, serving=True)
    assert not path.exists()
