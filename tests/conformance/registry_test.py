"""What every layer and segment promises, and that none is missing."""

import functools
import importlib
import inspect
import pathlib
import pkgutil
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import fastbert_tf
from fastbert_tf import export, segments

from ..tiny_models import tiny_config
from ..tolerances import tolerance
from .registry import CASES, ELSEWHERE

KINDS = (
    keras.layers.Layer,
    keras.losses.Loss,
    keras.optimizers.schedules.LearningRateSchedule,
    segments.Segment,
)

# Whole models are saved in the slow tier: their parts are in this one.
WHOLE = ("model", "all_exits", "distiller")
# Shapes depend on which rows leave; XLA would compile each anew.
NO_XLA = ("single_graph", "pooled_network")
SAVED = [
    pytest.param(name, marks=pytest.mark.slow if name in WHOLE else ())
    for name in CASES
]


@functools.cache
def made(name: str) -> Any:
    """The thing under test, built once."""
    return CASES[name].make()


@functools.cache
def traced(name: str) -> Any:
    """A `tf.function` of unknown rows and positions, traced once."""
    case = CASES[name]
    specs = [
        tf.TensorSpec([None] * min(x.ndim, 2) + list(x.shape[2:]), x.dtype)
        for x in case.arguments(2)
    ]
    if name in ("kl", "reverse_kl", "normalized_entropy"):
        specs[0] = tf.TensorSpec([None, 5])
    if name in ("kl", "reverse_kl"):
        specs[1] = tf.TensorSpec([None, 3, 5])
    call = made(name)

    def run(*arguments: tf.Tensor) -> Any:
        return call(*arguments)

    return tf.function(run, input_signature=specs, autograph=False)


def assert_close(result: Any, expected: Any) -> None:
    pairs = zip(tf.nest.flatten(result), tf.nest.flatten(expected), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, **tolerance())


@pytest.mark.parametrize("name", CASES)
def test_tracing_with_unknown_rows_equals_eager(name: str) -> None:
    case = CASES[name]
    function = traced(name)
    for rows in (2, 5):
        arguments = [tf.constant(x) for x in case.arguments(rows)]
        assert_close(function(*arguments), made(name)(*arguments))
    assert function.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("name", CASES)
def test_no_rows_are_a_normal_case(name: str) -> None:
    case = CASES[name]
    arguments = [tf.constant(x) for x in case.arguments(0)]
    results = [made(name)(*arguments), traced(name)(*arguments)]
    for output in tf.nest.flatten(results):
        assert output.shape[0] == 0


@pytest.mark.parametrize("name", SAVED)
def test_a_saved_model_gives_the_same_after_loading(
    name: str, tmp_path: pathlib.Path
) -> None:
    case = CASES[name]
    module = tf.Module()
    module.layer = made(name)
    module.run = traced(name)
    if "segment" in name:
        module.run = made(name)
    arguments = [tf.constant(x) for x in case.arguments(3)]
    expected = made(name)(*arguments)
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    assert_close(loaded.run(*arguments), expected)


def test_a_saved_segment_holds_its_own_weights_only(
    tmp_path: pathlib.Path,
) -> None:
    config = tiny_config(hidden_size=96, intermediate_size=200)
    model = fastbert_tf.FastBertClassifier(config)
    module = tf.Module()
    module.run = segments.build_segments(model)[1].function
    tf.saved_model.save(module, str(tmp_path))
    parts = (model.blocks[1], model.exit_classifiers[1])
    own = 4 * sum(part.count_params() for part in parts)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    assert own < size < 1.5 * own


@pytest.mark.slow
@pytest.mark.parametrize("name", [x for x in CASES if x not in NO_XLA])
def test_xla_equals_eager(name: str) -> None:
    compiled = tf.function(made(name), jit_compile=True, autograph=False)
    arguments = [tf.constant(x) for x in CASES[name].arguments(3)]
    assert_close(compiled(*arguments), made(name)(*arguments))


def defined_kinds() -> set[str]:
    """Classes of `KINDS` that the modules of the packages define."""
    found = set()
    for package in (fastbert_tf, segments, export):
        for info in pkgutil.walk_packages(
            package.__path__, f"{package.__name__}."
        ):
            if ".commands" in info.name or ".export" in info.name:
                continue
            module = importlib.import_module(info.name)
            found |= {
                name
                for name, value in inspect.getmembers(module, inspect.isclass)
                if value.__module__ == info.name and issubclass(value, KINDS)
            }
    return found


def test_nothing_that_computes_is_missing_from_the_registry() -> None:
    covered = {name for case in CASES.values() for name in case.covers}
    assert defined_kinds() <= covered | set(ELSEWHERE)


def test_nothing_is_both_covered_and_excused() -> None:
    covered = {name for case in CASES.values() for name in case.covers}
    assert not covered & set(ELSEWHERE)
