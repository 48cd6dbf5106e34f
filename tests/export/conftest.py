"""A bundle of each precision, made once and left as it is."""

import pathlib

import pytest

from fastbert_tf import FastBertClassifier, TextPreprocessor
from fastbert_tf.export import Usage, export_segments

from ..tiny_texts import write_vocabulary

LABELS = ["one", "two", "three", "four", "fünf"]


@pytest.fixture(scope="session")
def preprocessor(
    tmp_path_factory: pytest.TempPathFactory,
) -> TextPreprocessor:
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    write_vocabulary(path)
    return TextPreprocessor.from_pretrained(path, sequence_length=9)


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
            usage=Usage(speed=0.25, pairs=False),
        )
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def bundle(bundles: dict[str, pathlib.Path]) -> pathlib.Path:
    """The bundle of float32."""
    return bundles["float32"]
