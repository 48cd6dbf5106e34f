import dataclasses
import re

import pytest

from fastbert_tf import FastBertConfig

from ..tiny_models import tiny_config


def test_defaults_are_bert_base_with_the_papers_classifiers() -> None:
    config = FastBertConfig()
    assert (config.num_hidden_layers, config.hidden_size) == (12, 768)
    assert config.classifier_hidden_size == 128
    assert config.classifier_num_heads == 2
    assert config.classifier_pooling == "first"


def test_dict_round_trip_keeps_every_field() -> None:
    config = tiny_config(hidden_act="relu", classifier_pooling="max")
    assert FastBertConfig.from_dict(config.to_dict()) == config


def test_config_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        tiny_config().num_classes = 3


def test_unknown_keys_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"Received: .'colour', 'depth'."):
        FastBertConfig.from_dict({"depth": 1, "colour": 2})


def test_replace_checks_again() -> None:
    with pytest.raises(ValueError, match="num_classes=1"):
        tiny_config().replace(num_classes=1)


@pytest.mark.parametrize("value", [0, -1, 10**7, 3.0, "12", True, None])
@pytest.mark.parametrize(
    "name", ["hidden_size", "num_hidden_layers", "vocab_size", "num_classes"]
)
def test_impossible_counts_are_refused_by_name(
    name: str, value: object
) -> None:
    received = re.escape(f"Received: {name}={value!r}.")
    with pytest.raises(ValueError, match=received):
        FastBertConfig(**{name: value})


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan"), "0.1", True])
def test_impossible_probabilities_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="hidden_dropout_prob"):
        FastBertConfig(hidden_dropout_prob=value)


@pytest.mark.parametrize("value", [0.0, -1e-12, float("inf"), None])
def test_impossible_layer_norm_eps_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="layer_norm_eps"):
        FastBertConfig(layer_norm_eps=value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_act", "swish"), ("classifier_pooling", "mean")],
)
def test_unknown_choices_are_refused_with_the_known(
    name: str, value: str
) -> None:
    with pytest.raises(ValueError, match=f"{name}. must be one of .*{value}"):
        FastBertConfig(**{name: value})


@pytest.mark.parametrize(
    ("heads", "width"),
    [
        ("num_attention_heads", "hidden_size"),
        ("classifier_num_heads", "classifier_hidden_size"),
    ],
)
def test_heads_must_divide_the_width(heads: str, width: str) -> None:
    with pytest.raises(ValueError, match=f"{heads}. must divide .{width}"):
        FastBertConfig(**{heads: 5, width: 12})
