"""The `full_depth` scenario: one graph, segments and peers at fixed shapes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastbert_tf import INPUT_NAMES, ExitRule, FastBertClassifier
from fastbert_tf.evaluation import count_flops

from ..backends.building import build_segments, build_static
from ..backends.precision import compute_dtype
from ..driver import Driver
from ..timing import time_in_turn
from .options import BenchmarkOptions
from .peers import build_peer
from .variants import FULL_DEPTH

SEGMENTS = "segments, speed 0"
ALL_STUDENTS = "segments, every student asked"


@dataclasses.dataclass(frozen=True)
class ShapeRecord:
    """One variant at one shape, full rows.

    Args:
        precision: str, of our graphs.
        variant: str, what was timed.
        computes_in: str, the precision the variant really uses.
        shape: str, `32x128`.
        rows, length: int, the same.
        seconds: float, median of the rounds.
        gflops_per_second: float, 12 blocks and the teacher, full convention.
        time_ratio: float, these seconds over those of `FULL_DEPTH` in the
            same precision: below 1 is faster.
    """

    precision: str
    variant: str
    computes_in: str
    shape: str
    rows: int
    length: int
    seconds: float
    gflops_per_second: float
    time_ratio: float
    scenario: str = "full_depth"


def run_shapes(
    model: FastBertClassifier, options: BenchmarkOptions
) -> Iterator[ShapeRecord]:
    """Times full depth at each shape: one graph, the segments, the peers.

    Args:
        model: `FastBertClassifier`.
        options: `BenchmarkOptions` of one precision.
    """
    precision = options.precision
    last = model.config.num_hidden_layers - 1
    static = build_static(model, last, precision)
    driver = Driver(build_segments(model, precision))
    asking = ExitRule.nobody_leaves(last + 1)
    built = {name: build_peer(name, model) for name in options.peers}
    computes_in = compute_dtype(precision)
    for rows, length in options.shapes:
        inputs = _inputs(model, rows, length)
        runs = {
            FULL_DEPTH.name: lambda x=inputs: static.run(x)["logits"].numpy(),
            SEGMENTS: lambda x=inputs: driver.predict(x, 0.0),
            ALL_STUDENTS: lambda x=inputs: driver.predict(x, asking),
            **{name: _call(peer, inputs) for name, peer in built.items()},
        }
        timing = time_in_turn(runs, options.num_rounds)
        flops = rows * count_flops(model.config, length).full_depth
        for name in runs:
            seconds = timing.median(name)
            yield ShapeRecord(
                precision,
                name,
                built[name].precision if name in built else computes_in,
                f"{rows}x{length}",
                rows,
                length,
                seconds,
                flops / seconds / 1e9,
                1 / timing.speedup(name, FULL_DEPTH.name),
            )


def _call(function: Callable[[Any], Any], inputs: Any) -> Callable[[], Any]:
    return lambda: function(inputs)


def _inputs(
    model: FastBertClassifier, rows: int, length: int
) -> dict[str, np.ndarray]:
    """Random ids without padding."""
    ids = np.random.default_rng(7).integers(
        1, model.config.vocab_size, (rows, length), np.int32
    )
    arrays = (ids, np.zeros_like(ids), np.ones_like(ids))
    return dict(zip(INPUT_NAMES, arrays, strict=True))
