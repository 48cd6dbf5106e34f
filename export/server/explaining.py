"""What every exit says of one text, for who wants to see why it left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from fastbert_tf import ExitResult, simulate_exits
from fastbert_tf.evaluation import count_flops
from fastbert_tf.segments import Segment, bucket_lengths, cut, row_lengths

from ..answer_json import rounded
from .query import Query
from .reply import as_json
from .served_model import ServedModel


def explain(model: ServedModel, query: Query) -> dict[str, Any]:
    """Runs all segments on one row, every student asked.

    Args:
        model: `ServedModel`.
        query: of one row.

    Returns:
        dict for JSON: `labels`, `default_speed`, `num_blocks`, `length` (real
        tokens), `truncated` and `exits`, one dict for every exit asked:
        `exit_index`, `label_id` (-1 without an answer), `probabilities` (null
        then), `uncertainty` (null then), and `flops_speedup` against BERT at
        full depth, for a row that leaves there.
    """
    inputs, truncated = model.encode(query)
    length = int(row_lengths(inputs["padding_mask"])[0])
    exits = [segment.index for segment in model.segments]
    flops = count_flops(model.config, length)
    asked = zip(exits, _results(model.segments, inputs, length), strict=True)
    return {
        "labels": list(model.label_names),
        "default_speed": model.manifest.usage.speed,
        "num_blocks": model.config.num_hidden_layers,
        "length": length,
        "truncated": bool(truncated[0]),
        "exits": [
            _exit(i, result) | {"flops_speedup": _ratio(flops, i, exits)}
            for i, result in asked
        ],
    }


def _results(
    segments: Sequence[Segment], inputs: dict[str, np.ndarray], length: int
) -> list[ExitResult]:
    """The answer of each exit to the one row."""
    positions = segments[0].config.max_position_embeddings
    (bucket,) = bucket_lengths([length], positions)
    inputs = cut(inputs, int(bucket))
    inputs = {name: tf.constant(x) for name, x in inputs.items()}
    mask, states, results = inputs["padding_mask"], None, []
    for segment in segments:
        arguments = (inputs,) if states is None else (states, mask)
        outputs = segment.run(*arguments)
        states = outputs["hidden_states"]
        results.append(simulate_exits(outputs["logits"][None], 0.0))
    return results


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
