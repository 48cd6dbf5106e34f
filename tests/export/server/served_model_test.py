"""A bundle in memory."""

import dataclasses

import pytest

from fastbert_tf.export import Usage
from fastbert_tf.export.server.errors import RequestError
from fastbert_tf.export.server.query import Query
from fastbert_tf.export.server.served_model import ServedModel


def test_texts_are_encoded_and_flagged(served_model: ServedModel) -> None:
    long = "one two three four five six one two"
    inputs, truncated = served_model.encode(Query(["dull", long]))
    assert inputs["token_ids"].shape == (2, 9)
    assert truncated.tolist() == [False, True]


def test_a_model_of_pairs_refuses_a_text_alone(
    served_model: ServedModel,
) -> None:
    manifest = dataclasses.replace(
        served_model.manifest, usage=Usage(pairs=True)
    )
    pairs = dataclasses.replace(served_model, manifest=manifest)
    with pytest.raises(RequestError, match="trained on pairs. Pass `text_b`"):
        pairs.encode(Query(["a"]))
    assert pairs.encode(Query(["a"], ["b"]))[1].tolist() == [False]


def test_classes_without_names_are_numbers(served_model: ServedModel) -> None:
    manifest = dataclasses.replace(served_model.manifest, labels=None)
    model = dataclasses.replace(served_model, manifest=manifest)
    assert model.label_names == ("0", "1", "2", "3", "4")


@pytest.mark.parametrize("name", ["", "a/b", "a:predict", "ä"])
def test_a_name_must_fit_into_a_path(
    served_model: ServedModel, name: str
) -> None:
    with pytest.raises(ValueError, match="--model_name"):
        dataclasses.replace(served_model, name=name)
