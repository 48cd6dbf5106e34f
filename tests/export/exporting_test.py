"""What is written, where, and what is refused."""

import os
import pathlib
from typing import Any

import numpy as np
import pytest

from fastbert_tf import FastBertClassifier, TextPreprocessor, export
from fastbert_tf.export import (
    export_segments,
    load_segments,
)
from fastbert_tf.export.bundle.manifest import MANIFEST_FILE
from fastbert_tf.segments import SegmentPlan

from ..tiny_models import random_model, tiny_inputs
from .bundles import answers, content, wide_model
from .conftest import LABELS

Model = FastBertClassifier
TOO_DEEP = SegmentPlan(3, (2,))


@pytest.fixture(scope="module")
def model() -> Model:
    return random_model(3, num_hidden_layers=1)


@pytest.mark.parametrize(
    "precision",
    ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)],
)
def test_segments_hold_their_own_weights_and_little_else(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path, precision: str
) -> None:
    model = wide_model(4096)
    export_segments(
        model, tmp_path / "bundle", preprocessor, precision=precision
    )
    own = model.count_params() * (2 if precision == "bfloat16" else 4)
    folders = [tmp_path / "bundle" / name for name in ("M0", "M1")]
    sizes = [sum(map(len, content(folder).values())) for folder in folders]
    assert own < sum(sizes) < 1.05 * own
    assert max(sizes) < 0.55 * own


@pytest.mark.parametrize("name", ["ünïcode 模型.b", "with space and %s"])
def test_any_folder_name_works(
    model: Model,
    preprocessor: TextPreprocessor,
    tmp_path: pathlib.Path,
    name: str,
) -> None:
    export_segments(model, tmp_path / "new parent" / name, preprocessor)
    assert os.listdir(tmp_path / "new parent") == [name]
    np.testing.assert_allclose(
        answers(tmp_path / "new parent" / name),
        model(tiny_inputs()),
        atol=1e-5,
    )


def test_an_old_bundle_is_replaced_whole(
    model: Model, preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    deeper = random_model(4, num_hidden_layers=2)
    export_segments(deeper, tmp_path / "bundle", preprocessor, LABELS)
    export_segments(model, f"{tmp_path}/bundle/", preprocessor, LABELS)
    assert sorted(os.listdir(tmp_path / "bundle")) == [
        "M0",
        "manifest.json",
        "normalization.npz",
        "preprocessor",
        "vocab.txt",
    ]
    assert len(load_segments(tmp_path / "bundle")) == 1


def test_a_web_app_with_a_manifest_is_left_alone(
    model: Model, preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / MANIFEST_FILE).write_text('{"name": "my app"}')
    with pytest.raises(ValueError, match="that is not of a bundle"):
        export_segments(model, tmp_path / "app", preprocessor)
    assert os.listdir(tmp_path / "app") == [MANIFEST_FILE]


def make_file(path: pathlib.Path) -> None:
    path.write_text("x")


def make_link(path: pathlib.Path) -> None:
    (path.parent / "target").mkdir()
    path.symlink_to(path.parent / "target")


def make_folder(path: pathlib.Path) -> None:
    path.mkdir()
    (path / "thesis.tex").write_text("years of work")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_file, "is a file"),
        (make_link, "is a symbolic link"),
        (make_folder, "a folder with other contents"),
    ],
)
def test_what_is_not_a_bundle_is_left_alone(
    model: Model,
    preprocessor: TextPreprocessor,
    tmp_path: pathlib.Path,
    make: Any,
    message: str,
) -> None:
    make(tmp_path / "bundle")
    before = content(tmp_path), sorted(os.listdir(tmp_path))
    with pytest.raises(ValueError, match=message):
        export_segments(model, tmp_path / "bundle", preprocessor)
    assert (content(tmp_path), sorted(os.listdir(tmp_path))) == before


def test_a_place_that_cannot_be_written_is_refused(
    model: Model, preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(PermissionError, match="cannot be written to"):
        export_segments(model, tmp_path / "file" / "bundle", preprocessor)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"labels": ["a", "b"]}, "`labels` must be 5 different names"),
        ({"precision": "int8"}, "Received: precision='int8'"),
        ({"plan": TOO_DEEP}, "`plan` must be of 1 blocks"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(
    model: Model,
    preprocessor: TextPreprocessor,
    tmp_path: pathlib.Path,
    given: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        export_segments(model, tmp_path / "bundle", preprocessor, **given)
    assert os.listdir(tmp_path) == []


def test_a_vocabulary_of_another_model_is_refused(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    model = random_model(num_hidden_layers=1, vocab_size=24)
    with pytest.raises(ValueError, match="must have 24 tokens"):
        export_segments(model, tmp_path / "bundle", preprocessor)


def test_weights_that_are_not_finite_are_not_written(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    model = random_model(num_hidden_layers=1)
    model.blocks[0].intermediate.bias.assign(np.full(20, np.nan))
    with pytest.raises(ValueError, match="'block_0/intermediate/bias' of"):
        export_segments(model, tmp_path / "bundle", preprocessor)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["Usage", "Layout"])
def test_option_classes_of_old_releases_are_told_with_what_they_became(
    name: str,
) -> None:
    with pytest.raises(ImportError, match="Pass .* to `export_segments`"):
        getattr(export, name)
    assert not hasattr(export, "nothing")


def test_their_arguments_are_told_too(
    model: Model, preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(TypeError, match="speed=, pairs=.*Received: usage"):
        export_segments(model, tmp_path / "b", preprocessor, usage=0.5)
    assert not list(tmp_path.iterdir())
