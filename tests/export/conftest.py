"""A bundle of each precision, made once and left as it is."""

import pathlib
import shutil
from typing import Any

import pytest
import tensorflow as tf

from fastbert_tf import FastBertClassifier, TextPreprocessor
from fastbert_tf.export import export_segments
from fastbert_tf.export.bundle.serving_signatures import SERVING

from ..tiny_models import random_model
from ..tiny_texts import write_vocabulary

LABELS = ["one", "two", "three", "four", "fünf"]


def tiny_preprocessor(
    factory: pytest.TempPathFactory, sequence_length: int
) -> TextPreprocessor:
    path = factory.mktemp("vocabulary") / "vocab.txt"
    write_vocabulary(path)
    return TextPreprocessor.from_pretrained(path, sequence_length)


@pytest.fixture(scope="session")
def preprocessor(
    tmp_path_factory: pytest.TempPathFactory,
) -> TextPreprocessor:
    return tiny_preprocessor(tmp_path_factory, 9)


@pytest.fixture(scope="session")
def bundles(
    tmp_path_factory: pytest.TempPathFactory,
    models: list[FastBertClassifier],
    preprocessor: TextPreprocessor,
) -> dict[str, pathlib.Path]:
    """Precision to a bundle of the model of two blocks."""
    folder = tmp_path_factory.mktemp("bundles")
    for precision in ("float32", "bfloat16"):
        export_segments(
            models[1],
            folder / precision,
            preprocessor,
            LABELS,
            precision,
            speed=0.25,
            pairs=False,
        )
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def bundle(bundles: dict[str, pathlib.Path]) -> pathlib.Path:
    """The bundle of float32."""
    return bundles["float32"]


@pytest.fixture(scope="session")
def served_model() -> FastBertClassifier:
    """Of three blocks, and positions for pools of two lengths."""
    return random_model(36, num_hidden_layers=3, max_position_embeddings=25)


@pytest.fixture(scope="session")
def long_preprocessor(
    tmp_path_factory: pytest.TempPathFactory,
) -> TextPreprocessor:
    return tiny_preprocessor(tmp_path_factory, 21)


@pytest.fixture(scope="session")
def served_bundle(
    tmp_path_factory: pytest.TempPathFactory,
    served_model: FastBertClassifier,
    long_preprocessor: TextPreprocessor,
) -> pathlib.Path:
    """A bundle with `serving/1/` and every signature there is."""
    bundle = tmp_path_factory.mktemp("served") / "bundle"
    export_segments(
        served_model,
        bundle,
        long_preprocessor,
        LABELS,
        speed=0.25,
        serving=True,
    )
    return bundle


@pytest.fixture
def bundle_copy(bundle: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the bundle of float32, to be damaged."""
    return shutil.copytree(bundle, tmp_path / "copied bundle")


@pytest.fixture(scope="session")
def pair_bundle(
    tmp_path_factory: pytest.TempPathFactory,
    models: list[FastBertClassifier],
    preprocessor: TextPreprocessor,
) -> pathlib.Path:
    """A bundle of a model of pairs."""
    path = tmp_path_factory.mktemp("pairs") / "bundle"
    export_segments(
        models[1], path, preprocessor, LABELS, speed=0.25, pairs=True
    )
    return path


@pytest.fixture(scope="session")
def signatures(served_bundle: pathlib.Path) -> Any:
    """Those of its `serving/1/`, loaded."""
    return tf.saved_model.load(str(served_bundle / SERVING)).signatures
