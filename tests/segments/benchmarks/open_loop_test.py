"""Engines under load: what is counted, not how fast it is."""

from collections.abc import Sequence

import numpy as np
import pytest

from fastbert_tf.segments.backends.openvino_segments import OpenVinoSegment
from fastbert_tf.segments.benchmarks.open_loop import (
    OpenLoop,
    build_engine,
    check_engines,
    to_engine,
)
from fastbert_tf.segments.benchmarks.options import BenchmarkOptions
from fastbert_tf.segments.benchmarks.server import ServerRecord, run_server
from fastbert_tf.segments.benchmarks.variants import (
    DRIVERS,
    ENGINES,
    Builder,
    Variant,
)
from fastbert_tf.segments.benchmarks.workload import Workload, forced_workload

from ...tiny_models import tiny_config

NUM_BLOCKS = 2
LENGTHS = np.array([3, 11, 5, 2, 7, 7, 4, 9, 1, 10])


@pytest.fixture(scope="module")
def workload() -> Workload:
    return forced_workload(tiny_config(num_hidden_layers=NUM_BLOCKS), LENGTHS)


@pytest.fixture(scope="module")
def builder(workload: Workload) -> Builder:
    return Builder(workload.model, "float32")


def test_engines_differ_in_what_runs_together(builder: Builder) -> None:
    with_pools, by_rows, whole = (
        build_engine(variant, builder, NUM_BLOCKS, 8) for variant in ENGINES[:3]
    )
    assert (with_pools.max_batch_size, len(with_pools.segments)) == (8, 2)
    assert (by_rows.max_batch_size, len(by_rows.segments)) == (1, 2)
    assert (whole.max_batch_size, len(whole.segments)) == (8, 1)


@pytest.mark.slow
def test_an_engine_on_openvino_has_its_segments(builder: Builder) -> None:
    engine = build_engine(ENGINES[3], builder, NUM_BLOCKS, 8)
    assert isinstance(engine.segments[0], OpenVinoSegment)


def test_seconds_count_from_the_intended_arrival(
    builder: Builder, workload: Workload
) -> None:
    """By a clock that stands still but when the sender sleeps."""
    now, sleeps = [5.0], []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        now[0] += seconds

    engine = build_engine(ENGINES[0], builder, NUM_BLOCKS, 8)
    setting = workload.at_histogram((1, 1))
    submit = to_engine(engine, workload, setting)
    loop = OpenLoop(submit, len(LENGTHS), 60.0, lambda: now[0], sleep)
    with engine:
        seconds = loop.play(np.array([1.0, 1.0, 4.0]))
    assert sleeps == [1.0, 3.0]
    # An answer may come while the sender sleeps, which takes no time here.
    assert set(seconds.tolist()) <= {0.0, 3.0}


def test_rows_refused_take_for_ever(
    builder: Builder, workload: Workload
) -> None:
    engine = build_engine(ENGINES[0], builder, NUM_BLOCKS, 8)
    submit = to_engine(engine, workload, workload.at_speed(0.0))
    loop = OpenLoop(submit, len(LENGTHS), -1.0)
    with engine:
        seconds = loop.play(np.zeros(3))
    assert seconds.tolist() == [np.inf] * 3


def under_load(
    workload: Workload, engines: Sequence[Variant]
) -> list[ServerRecord]:
    """Full depth and the engines at two loads far below what they bear."""
    options = BenchmarkOptions(
        workload.model.config,
        loads=(0.01, 0.02),
        batch_sizes=(2,),
        num_arrivals=3,
        deadline_millis=1e6,
        drivers=tuple(engines),
    )
    return list(run_server(workload, [workload.at_histogram((1, 1))], options))


def test_an_engine_is_measured_beside_full_depth(workload: Workload) -> None:
    records = under_load(workload, ENGINES[2:3])
    names = ["full depth, one graph", "engine at full depth"]
    assert [x.variant for x in records] == names * 2
    assert [x.setting for x in records[:2]] == ["full depth", "speed 0"]
    assert {x.share_on_time for x in records} == {1.0}
    assert {x.share_unanswered for x in records} == {0.0}


@pytest.mark.slow
def test_a_server_run_has_every_engine_at_every_load(
    workload: Workload,
) -> None:
    records = under_load(workload, ENGINES)
    assert [x.variant for x in records[1:5]] == [x.name for x in ENGINES]
    assert {x.share_on_time for x in records} == {1.0}
    assert [x.setting for x in records[1:5]] == [
        "depth 1.50",
        "depth 1.50",
        "speed 0",
        "depth 1.50",
    ]


def test_scenarios_without_deadlines_have_no_engines() -> None:
    check_engines("server", ENGINES)
    check_engines("offline", DRIVERS)
    with pytest.raises(ValueError, match="--scenario=offline has no engines"):
        check_engines("offline", (*DRIVERS, *ENGINES))
