"""Measures seconds of variants: warm-up apart, one run of each a round."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any


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


def timed(
    run: Callable[[], Any], clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds that `run` takes; it returns once results are on the host."""
    start = clock()
    run()
    return clock() - start


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
            seconds[name].append(timed(run, clock))
    return Timing(seconds)
