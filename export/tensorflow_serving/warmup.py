"""Requests that TensorFlow Serving answers itself before it says ready."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ..bundle.layout import WARMUP_FILE
from ..bundle.serving_signatures import CLASSIFY, SECOND_TEXT, SPEED, TEXT

# Of the requests; the server asks the model it is loading, whatever its name.
_MODEL_NAME = "fastbert"


def check_can_write_warmup() -> None:
    """Refuses where the requests' package is missing, before the work.

    Raises:
        ImportError: tensorflow-serving-api is not installed.
    """
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise ImportError(
            "Warm-up requests are written with the package "
            "tensorflow-serving-api, which is not installed. Run `pip "
            "install 'fastbert-tf[serving]'`, or export without serving."
        )


def write_warmup(
    folder: str,
    signatures: Mapping[str, Mapping[str, Any]],
    lengths: Sequence[int],
) -> None:
    """Writes a row for every signature and length, of speed 0 where it can be.

    After these every pool has run, so that no caller's request is the first.

    Args:
        folder: of the SavedModel.
        signatures: as of `serving_signatures`.
        lengths: positions of the pools.
    """
    path = os.path.join(folder, WARMUP_FILE)
    os.makedirs(os.path.dirname(path))
    texts = signatures["serving_default"]["inputs"]
    with tf.io.TFRecordWriter(path) as writer:
        for length in lengths:
            for name, signature in signatures.items():
                if name == CLASSIFY:
                    log = _classify_log(texts, length)
                else:
                    log = _predict_log(name, signature["inputs"], length)
                writer.write(log.SerializeToString())


def _predict_log(name: str, inputs: Iterable[str], length: int) -> Any:
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    num_words = _num_words(inputs, length)
    for key in inputs:
        value = tf.make_tensor_proto(_rows(key, length, num_words))
        request.inputs[key].CopyFrom(value)
    return _addressed(log, request, name)


def _classify_log(texts: Iterable[str], length: int) -> Any:
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.classify_log.request
    features = request.input.example_list.examples.add().features.feature
    num_words = _num_words(texts, length)
    for key in texts:
        values = _rows(key, length, num_words)
        features[key].bytes_list.value.extend(values)
    features[SPEED].float_list.value.append(0.0)
    return _addressed(log, request, CLASSIFY)


def _addressed(log: Any, request: Any, name: str) -> Any:
    request.model_spec.name = _MODEL_NAME
    request.model_spec.signature_name = name
    return log


def _num_words(inputs: Iterable[str], length: int) -> int:
    """Words that fill a pool, [CLS] and a [SEP] behind each text besides."""
    return length - 2 - (SECOND_TEXT in inputs)


def _rows(key: str, length: int, num_words: int) -> Any:
    """One row of an input, as long as the pool."""
    if key == TEXT:
        # A full stop is one token in any vocabulary, if only the unknown one.
        return [b" ".join([b"."] * num_words)]
    if key == SECOND_TEXT:
        return [b""]
    if key == SPEED:
        return np.zeros([1], np.float32)
    is_mask = key == "padding_mask"
    return np.full([1, length], is_mask, np.int32)
