"""`explain`: what every exit says of one text, for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fastbert_tf import ExitResult, ExitRule, simulate_exits
from fastbert_tf.evaluation import FlopCounts, count_flops
from fastbert_tf.segments import (
    Segment,
    TextClassifier,
    bucket_lengths,
    cut,
    rounded,
    row_lengths,
)

from .query import Query
from .reply import as_json

# Those that the page's slider has.
_SPEEDS = np.linspace(0.0, 1.0, 101, dtype=np.float32)


def explain(classifier: TextClassifier, query: Query) -> dict[str, Any]:
    """Runs all segments on one row, every student asked.

    Args:
        classifier: `TextClassifier` with segments.
        query: of one row.

    Returns:
        dict for JSON: `labels`, `default_speed`, `num_blocks`, `length` (real
        tokens), `truncated`; `exits`, one dict for every exit that there is:
        `exit_index`, `label_id` (-1 without an answer), `probabilities` (null
        then), `uncertainty` (null then), and `flops_speedup` against BERT at
        full depth, for a row that leaves there; and `at_speed`, one dict for
        each of the speeds 0, 0.01, ... 1: `place` in `exits` where the text
        leaves, and the `flops_speedup` that it has then.
    """
    query.check_pairs(classifier.pairs)
    inputs, truncated = classifier.encode(query.texts, query.pairs)
    segments, config = classifier.driver.segments, classifier.config
    length = int(row_lengths(inputs["padding_mask"])[0])
    exits = [segment.index for segment in segments]
    flops = count_flops(config, length)
    logits = _exit_logits(segments, inputs, length)
    answers = (simulate_exits(logits[i : i + 1], 0.0) for i in exits)
    return {
        "labels": list(
            classifier.labels or map(str, range(config.num_classes))
        ),
        "default_speed": classifier.speed,
        "num_blocks": config.num_hidden_layers,
        "length": length,
        "truncated": bool(truncated[0]),
        "exits": [
            _exit(i, answer) | {"flops_speedup": _ratio(flops, i, exits)}
            for i, answer in zip(exits, answers, strict=True)
        ],
        "at_speed": _at_speeds(logits, exits, flops),
    }


def _exit_logits(
    segments: Sequence[Segment], inputs: dict[str, np.ndarray], length: int
) -> np.ndarray:
    """float32 `[L, 1, C]` of the one row, NaN where there is no exit."""
    config = segments[0].config
    (bucket,) = bucket_lengths([length], config.max_position_embeddings)
    inputs = cut(inputs, int(bucket))
    inputs = {name: tf.constant(x) for name, x in inputs.items()}
    shape = (config.num_hidden_layers, 1, config.num_classes)
    logits = np.full(shape, np.nan, np.float32)
    mask, states = inputs["padding_mask"], None
    for segment in segments:
        arguments = (inputs,) if states is None else (states, mask)
        outputs = segment.run(*arguments)
        states = outputs["hidden_states"]
        logits[segment.index] = outputs["logits"]
    return logits


def _at_speeds(
    logits: np.ndarray, exits: Sequence[int], flops: FlopCounts
) -> list[dict[str, Any]]:
    """Where the text leaves at each of `_SPEEDS`, so that a page need not
    know the rule."""
    num_exits, num_rows = len(logits), len(_SPEEDS)
    rule = ExitRule.of(_SPEEDS, num_exits, num_rows).only(exits)
    result = simulate_exits(np.repeat(logits, num_rows, axis=1), rule)
    spent = flops.leaving_at(result.exit_index, exits)
    # Where no student is asked, none is paid.
    spent = np.where(rule.may_leave, spent, flops.full_depth)
    ratios = (flops.full_depth / spent).tolist()
    return [
        {"place": exits.index(i), "flops_speedup": rounded(ratio)}
        for i, ratio in zip(result.exit_index.tolist(), ratios, strict=True)
    ]


def _exit(exit_index: int, result: ExitResult) -> dict[str, Any]:
    is_valid = bool(result.is_valid[0])
    uncertainty = rounded(float(result.uncertainty[0]))
    return {
        "exit_index": exit_index,
        "label_id": int(result.labels[0]),
        "probabilities": as_json(result.probabilities[0]) if is_valid else None,
        "uncertainty": uncertainty if is_valid else None,
    }


def _ratio(flops: Any, exit_index: int, exits: Sequence[int]) -> float:
    spent = flops.leaving_at(exit_index, exits)
    return rounded(flops.full_depth / spent)
