"""How long variants take beside each other: warm-up apart, runs in turn."""

from __future__ import annotations

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from fastbert_tf import INPUT_NAMES, FastBertClassifier

from .driver import Driver

FULL_DEPTH = "full depth"


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of every run of every variant.

    Args:
        seconds: variant to one float a round, all of one length.
    """

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        """Median seconds of a variant."""
        return statistics.median(self.seconds[name])

    def speedup(self, name: str, baseline: str) -> float:
        """Time speed-up of `name` over `baseline`.

        The median of the ratios of each round: whatever slows the machine
        for a while slows both sides of a ratio.
        """
        rounds = zip(self.seconds[baseline], self.seconds[name], strict=True)
        return statistics.median(slow / fast for slow, fast in rounds)


def time_in_turn(
    variants: Mapping[str, Callable[[], Any]],
    num_rounds: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Times variants, one run of each a round.

    Each runs once before the clock starts: what is traced or allocated on
    the first call does not count.

    Args:
        variants: name to function. It must return only when its results are
            on the host, or the device's work is not in the time.
        num_rounds: int, 1 or more.
        clock: function that gives seconds.
    """
    if num_rounds < 1:
        raise ValueError(
            "`num_rounds` must be 1 or more. Received: "
            f"num_rounds={num_rounds}. Pass 5 for a median of five."
        )
    for run in variants.values():
        run()
    seconds = {name: [] for name in variants}
    for _ in range(num_rounds):
        for name, run in variants.items():
            start = clock()
            run()
            seconds[name].append(clock() - start)
    return Timing(seconds)


def timed_runs(
    model: FastBertClassifier,
    driver: Driver,
    batches: Sequence[Mapping[str, Any]],
    speeds: Sequence[float],
) -> dict[str, Callable[[], Any]]:
    """What `time_in_turn` takes: full depth, then the driver at each speed.

    Args:
        model: `FastBertClassifier`, the baseline, in its own precision.
        driver: `Driver` of the same model.
        batches: inputs dicts, int32 `[B, S]`; a run goes through all of them.
        speeds: floats in [0, 1]; each is a variant, called `speed_name`.
    """
    forward = full_depth_graph(model)

    def run_full_depth() -> None:
        for inputs in batches:
            forward(inputs).numpy()

    def run_speed(speed: float) -> None:
        for inputs in batches:
            driver.predict(inputs, speed)

    runs = {speed_name(s): functools.partial(run_speed, s) for s in speeds}
    return {FULL_DEPTH: run_full_depth, **runs}


def full_depth_graph(model: FastBertClassifier) -> Callable[..., tf.Tensor]:
    """The baseline: all blocks and the teacher alone as one graph.

    Returns:
        function of the inputs dict (int32 `[B, S]`) that gives the teacher's
        logits, float32 `[B, C]`; traced once.
    """
    spec = tf.TensorSpec([None, None], tf.int32)
    return tf.function(
        lambda inputs: model(inputs, training=False),
        input_signature=[dict.fromkeys(INPUT_NAMES, spec)],
        autograph=False,
    )


def speed_name(speed: float) -> str:
    """`speed 0.5`."""
    return f"speed {speed:g}"
