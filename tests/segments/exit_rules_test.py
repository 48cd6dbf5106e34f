"""Every driver obeys a rule of leaving without knowing how it was made."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastbert_tf import (
    ExitRule,
    FastBertClassifier,
    normalized_entropy,
    simulate_exits,
)

from ..tiny_models import tiny_inputs
from .driver_test import LIGHT, assert_equal, settled

Models = list[FastBertClassifier]
# Off, asked and let go by none, and thresholds between, an exit its own.
THRESHOLDS = st.sampled_from([np.nan, 0.0, 0.2, 0.5, 0.8, 1.0])


@given(
    num_rows=st.sampled_from([1, 7, 20]),
    rules=st.lists(
        st.lists(THRESHOLDS, min_size=4, max_size=4), min_size=1, max_size=20
    ),
    seed=st.integers(0, 99),
)
@LIGHT
def test_every_driver_obeys_any_rule(
    models: Models,
    several: dict[str, Any],
    num_rows: int,
    rules: list[list[float]],
    seed: int,
) -> None:
    inputs = tiny_inputs(num_rows, 7, seed)
    logits = models[0].exit_logits(inputs).numpy()
    of_rows = [rules[i % len(rules)] for i in range(num_rows)]
    for rule in (ExitRule(rules[0]), ExitRule(of_rows)):
        expected = simulate_exits(logits, rule)
        kept = settled(logits, rule)
        for driver in several.values():
            result = driver.predict(inputs, rule)
            assert_equal(result, expected, kept)


def mean_so_far(logits: Any, state: Any) -> tuple[Any, Any]:
    """Uncertainty of the mean of all logits asked so far."""
    total, count = (
        (0.0 * logits, 0.0 * logits[:, :1]) if state is None else state
    )
    total, count = total + logits, count + 1.0
    return normalized_entropy(total / count), (total, count)


@pytest.mark.parametrize("kind", ["driver", "pools of 4", "pools of 1"])
def test_a_score_with_a_memory_travels_with_the_rows(
    models: Models, several: dict[str, Any], kind: str
) -> None:
    inputs = tiny_inputs(40, 9)
    logits = models[0].exit_logits(inputs).numpy()
    rule = ExitRule([np.nan, 0.7, 0.7, 0.8], mean_so_far)
    expected = simulate_exits(logits, rule)
    assert len(set(expected.exit_index.tolist())) == 4
    result = several[kind].predict(inputs, rule)
    np.testing.assert_array_equal(result.exit_index, expected.exit_index)
    np.testing.assert_allclose(result.logits, expected.logits, atol=1e-5)


def test_a_graph_refuses_a_score_it_has_not_built_in(
    several: dict[str, Any],
) -> None:
    rule = ExitRule([np.nan, 0.7, 0.7, 0.8], mean_so_far)
    with pytest.raises(ValueError, match="single graph must have the default"):
        several["single graph"].predict(tiny_inputs(), rule)
