import pathlib
from typing import Any

import numpy as np
import pytest

from fastbert_tf import TextPreprocessor
from fastbert_tf.checkpoints import read_manifest
from fastbert_tf.training import TrainingSettings, train_classifier
from fastbert_tf.training.texts import _rows, _split

from ...tiny_texts import TOKENS, write_vocabulary
from ..checkpoints import tiny

TEXTS = [f"{TOKENS[5 + i % 3]} film" for i in range(20)]
LABELS = [f"class {i % 3}" for i in range(20)]
SETTINGS = TrainingSettings(epochs=0, distill_epochs=0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("bert")
    tiny.write_shallow(folder, 2)
    write_vocabulary(folder / "vocab.txt")
    return folder


@pytest.fixture(scope="module")
def trained(checkpoint: pathlib.Path) -> Any:
    return train_classifier(
        TEXTS,
        LABELS,
        checkpoint,
        settings=SETTINGS,
        sequence_length=7,
        batch_size=5,
    )


def test_two_lists_give_a_model_its_preprocessor_and_labels(
    trained: Any,
) -> None:
    assert trained.labels == ["class 0", "class 1", "class 2"]
    assert trained.model.config.num_classes == 3
    assert isinstance(trained.preprocessor, TextPreprocessor)
    assert trained.pairs is False


def test_what_was_trained_is_saved_with_how(
    trained: Any, tmp_path: pathlib.Path
) -> None:
    trained.save(tmp_path / "model")
    manifest = read_manifest(str(tmp_path / "model"))
    assert manifest.labels == trained.labels
    assert manifest.training["batch_size"] == 5


def test_a_tenth_of_every_class_is_kept_apart() -> None:
    labels = ["a"] * 40 + ["b"] * 20 + ["c"] * 2 + ["d"]
    rows = _rows([str(i) for i in range(63)], labels, None)
    train, dev = _split(rows, seed=7)
    counts = [[x["label"] for x in dev].count(c) for c in "abcd"]
    assert counts == [4, 2, 1, 0]
    both = sorted([*train, *dev], key=lambda x: int(x["text_a"]))
    assert both == rows
    assert _split(rows, seed=7) == (train, dev)
    assert _split(rows, seed=8) != (train, dev)


class Frame(dict):
    """As pandas: columns, and a column by its name."""

    @property
    def columns(self) -> list[str]:
        return list(self)


def test_a_table_of_columns_is_taken_whole() -> None:
    table = Frame(text=np.array(["x", "y"]), label=np.array([0, 1]))
    assert _rows(table, None, None) == [
        {"label": "0", "text_a": "x"},
        {"label": "1", "text_a": "y"},
    ]
    pairs = Frame(text_a=["x"], text_b=["z"], label=["a"])
    assert _rows(pairs, None, None)[0]["text_b"] == "z"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((["a"], ["x", "y"], None), "as many"),
        (([], [], None), "as many"),
        ((["a"], ["x"], ["b", "c"]), "as many"),
        ((Frame(words=["a"]), None, None), "columns"),
    ],
)
def test_rows_that_do_not_fit_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _rows(*given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("a text", ["x"], None), "`texts` must be a list"),
        ((["a"], "x", None), "`labels` must be a list"),
        (([None], ["x"], None), "NoneType in row 0"),
        ((["a"], [1.5], None), "Received: 1.5 in row 0"),
        ((["a"], [True], None), "Received: True in row 0"),
        (([["a"]], ["x"], None), "must be a list"),
    ],
)
def test_other_kinds_are_refused(given: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        _rows(*given)


def test_a_row_a_class_leaves_nothing_to_choose_by() -> None:
    with pytest.raises(ValueError, match="every class has one row"):
        _split(_rows(["x", "y"], ["a", "b"], None), 7)
