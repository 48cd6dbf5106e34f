"""Timing: what counts, in which order, and how ratios are formed."""

import itertools

import pytest

from fastbert_tf.segments.timing import Timing, time_in_turn


def test_each_variant_warms_up_and_then_runs_once_a_round():
    calls = []
    variants = {name: lambda name=name: calls.append(name) for name in "ab"}
    time_in_turn(variants, num_rounds=2)
    assert "".join(calls) == "ab" + "abab"


def test_warm_up_does_not_count():
    clock = itertools.count().__next__
    timing = time_in_turn({"a": lambda: None}, num_rounds=3, clock=clock)
    assert timing.seconds == {"a": [1, 1, 1]}


def test_seconds_are_those_of_the_run_alone():
    ticks = iter([0.0, 4.0, 4.0, 5.0])
    variants = {"slow": lambda: None, "fast": lambda: None}
    timing = time_in_turn(variants, 1, clock=lambda: next(ticks))
    assert timing.seconds == {"slow": [4.0], "fast": [1.0]}


def test_speedup_is_the_median_of_the_rounds_ratios():
    # The machine is ten times slower in the last two rounds.
    timing = Timing({"slow": [4.0, 40.0, 40.0], "fast": [2.0, 20.0, 10.0]})
    assert timing.speedup("fast", "slow") == 2.0
    assert timing.speedup("slow", "slow") == 1.0
    assert timing.median("slow") == 40.0


def test_no_round_is_refused():
    with pytest.raises(ValueError, match=r"num_rounds=0\. Pass 5"):
        time_in_turn({"a": lambda: None}, num_rounds=0)
