"""Every layer and segment, as a function and the arguments it takes.

A new one is added here, or `registry_test.py` fails.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from fastbert_tf import (
    ExitRule,
    FastBertClassifier,
    SelfDistiller,
    normalized_entropy,
)
from fastbert_tf.distillation import DistillationLoss
from fastbert_tf.exit_classifier import ClassifierAttention, ExitClassifier
from fastbert_tf.export import load_segments
from fastbert_tf.inputs import INPUT_NAMES
from fastbert_tf.layers import Block, Embeddings, SelfAttention
from fastbert_tf.model import AllExits
from fastbert_tf.segments import (
    Segment,
    SegmentPlan,
    SingleGraphDriver,
    build_segments,
)
from fastbert_tf.segments.backends.building import network_parts
from fastbert_tf.segments.pooled_graph import PooledNetwork, Pools
from fastbert_tf.training.optimization import LinearWarmupDecay

from ..tiny_models import (
    POSITIONS,
    random_model,
    randomize,
    tiny_config,
    tiny_inputs,
)

_GOLDEN_BUNDLE = pathlib.Path(__file__).parents[1] / "goldens/bundles/1"

Arguments = Callable[[int], list[np.ndarray]]


class Case(NamedTuple):
    """Something that computes, to be put through every promise.

    Args:
        make: gives an object that is called with tensors.
        arguments: the arguments for a number of rows.
        covers: names of the classes and functions it stands for.
    """

    make: Callable[[], Any]
    arguments: Arguments
    covers: tuple[str, ...]


def _ids(rows: int) -> list[np.ndarray]:
    inputs = tiny_inputs(rows)
    return [inputs["token_ids"], inputs["token_type_ids"]]


def _all_ids(rows: int) -> list[np.ndarray]:
    return list(tiny_inputs(rows).values())


def _states(rows: int) -> list[np.ndarray]:
    rng = np.random.default_rng(rows)
    states = rng.standard_normal((rows, POSITIONS, 12)).astype("float32")
    return [states, tiny_inputs(rows)["padding_mask"]]


def _logits(rows: int) -> list[np.ndarray]:
    rng = np.random.default_rng(rows)
    teacher = rng.normal(0, 2, (rows, 5)).astype("float32")
    students = rng.normal(0, 2, (rows, 3, 5)).astype("float32")
    return [teacher, students]


def _layer(kind: type, **kwargs: Any) -> Callable[[], Any]:
    def make() -> Any:
        layer = kind(tiny_config(), **kwargs)
        layer.build()
        randomize(layer, 4)
        return layer

    return make


@functools.cache
def _network(pooling: str = "first") -> FastBertClassifier:
    return random_model(num_hidden_layers=2, classifier_pooling=pooling)


@functools.cache
def _segments(pooling: str) -> list[Segment]:
    return build_segments(_network(pooling))


class _ByPosition(tf.Module):
    """A model whose inputs are given one after another."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def __call__(self, *arguments: Any) -> Any:
        return self.model(dict(zip(INPUT_NAMES, arguments, strict=True)))


def _model(wrap: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: _ByPosition(wrap(_network()))


def _segment(index: int, pooling: str = "first") -> Callable[[], Any]:
    return lambda: _segments(pooling)[index].function


def _fused() -> Any:
    plan = SegmentPlan.teacher_only(2)
    return build_segments(_network(), plan=plan)[0].function


def _advance() -> Any:
    return _segments("first")[0].advance_function


def _loaded(index: int) -> Callable[[], Any]:
    return lambda: load_segments(_GOLDEN_BUNDLE)[index].function


def _single_graph() -> Any:
    return SingleGraphDriver(_network()).function


def _pooled_network() -> Any:
    parts = network_parts(_network(), "float32", None)
    weights = [[w.value.numpy() for w in part.weights] for part in parts]
    config = _network().config
    return PooledNetwork(
        parts, weights, config, POSITIONS, "conformance", Pools()
    ).function


def _thresholds(rows: int) -> np.ndarray:
    speed = np.linspace(0, 1, rows)
    return ExitRule.of(speed, 2, rows).of_rows(rows)


def _schedule(step: tf.Tensor) -> Any:
    return LinearWarmupDecay(0.1, 9)(step)


CASES = {
    "embeddings": Case(_layer(Embeddings), _ids, ("Embeddings",)),
    "attention": Case(
        _layer(SelfAttention, width=12, num_heads=2),
        _states,
        ("SelfAttention",),
    ),
    "classifier_attention": Case(
        _layer(ClassifierAttention, width=12, num_heads=2),
        _states,
        ("ClassifierAttention",),
    ),
    "block": Case(_layer(Block), _states, ("Block",)),
    "exit_classifier": Case(
        _layer(ExitClassifier), _states, ("ExitClassifier",)
    ),
    "model": Case(_model(lambda x: x), _all_ids, ("FastBertClassifier",)),
    "all_exits": Case(_model(AllExits), _all_ids, ("AllExits",)),
    "distiller": Case(_model(SelfDistiller), _all_ids, ("SelfDistiller",)),
    "first_segment": Case(_segment(0), _all_ids, ("Segment", "build_segments")),
    "last_segment": Case(_segment(1), _states, ("Segment",)),
    "first_segment_of_max": Case(_segment(0, "max"), _all_ids, ("Segment",)),
    "last_segment_of_last": Case(_segment(1, "last"), _states, ("Segment",)),
    "fused_segment": Case(_fused, _all_ids, ("Segment", "build_segments")),
    "advance": Case(_advance, _all_ids, ("Segment",)),
    "first_segment_loaded": Case(_loaded(0), _all_ids, ("load_segments",)),
    "last_segment_loaded": Case(_loaded(1), _states, ("load_segments",)),
    "single_graph": Case(
        _single_graph,
        lambda rows: [*_all_ids(rows), _thresholds(rows)],
        ("SingleGraphDriver",),
    ),
    "pooled_network": Case(
        _pooled_network,
        lambda rows: [*_all_ids(rows), _thresholds(rows)],
        ("PooledNetwork",),
    ),
    "normalized_entropy": Case(
        lambda: normalized_entropy,
        lambda rows: _logits(rows)[:1],
        ("normalized_entropy",),
    ),
    "kl": Case(
        lambda: DistillationLoss("kl", 2.0).call,
        _logits,
        ("DistillationLoss",),
    ),
    "reverse_kl": Case(
        lambda: DistillationLoss("reverse_kl", 2.0).call,
        _logits,
        ("DistillationLoss",),
    ),
    "schedule": Case(
        lambda: _schedule,
        lambda rows: [np.arange(rows, dtype="int32")],
        ("LinearWarmupDecay",),
    ),
}

# Public names that do not compute on tensors, and where they are tested.
ELSEWHERE = {
    "ConfiguredLayer": "the base of the layers",
    "FanInInitialized": "the base of the exit classifier's layers",
    "OpenVinoSegment": "openvino_segments_test.py: a graph of OpenVINO's",
}
