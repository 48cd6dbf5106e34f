"""Every scenario on a tiny model: what is recorded, not how fast it is."""

import numpy as np
import pytest

from fastbert_tf.segments import PooledDriver, build_segments
from fastbert_tf.segments.benchmarks import precisions
from fastbert_tf.segments.benchmarks.endurance import run_endurance
from fastbert_tf.segments.benchmarks.offline import (
    OfflineRecord,
    ideal_speedup,
    run_offline,
)
from fastbert_tf.segments.benchmarks.options import BenchmarkOptions
from fastbert_tf.segments.benchmarks.precisions import run_precision
from fastbert_tf.segments.benchmarks.server import play, run_server
from fastbert_tf.segments.benchmarks.shapes import run_shapes
from fastbert_tf.segments.benchmarks.single_stream import run_single_stream
from fastbert_tf.segments.benchmarks.variants import (
    DRIVERS,
    FULL_DEPTH,
    KERAS,
    Batches,
    Kind,
    Variant,
)
from fastbert_tf.segments.benchmarks.workload import Workload, forced_workload
from fastbert_tf.segments.costs import CostTable, SegmentCost

from ...tiny_models import tiny_config

pytestmark = pytest.mark.slow
LENGTHS = np.array([3, 11, 5, 2, 7, 7, 4, 9, 1, 10])


@pytest.fixture(scope="module")
def workload() -> Workload:
    return forced_workload(tiny_config(), LENGTHS)


@pytest.fixture(scope="module")
def offline(workload: Workload) -> list[OfflineRecord]:
    options = BenchmarkOptions(
        tiny_config(),
        batch_sizes=(2,),
        drivers=DRIVERS[:1],
        static_blocks=(2,),
        keras=True,
        num_rounds=1,
    )
    setting = workload.at_histogram((4, 3, 2, 1))
    return list(run_offline(workload, [setting], options))


def test_offline_times_every_variant(offline: list[OfflineRecord]) -> None:
    assert [record.variant for record in offline] == [
        FULL_DEPTH.name,
        "static 2",
        KERAS.name,
        "driver",
    ]
    assert offline[0].time_speedup == 1.0


def test_networks_without_early_exit_have_a_depth_and_a_cost(
    offline: list[OfflineRecord], workload: Workload
) -> None:
    assert [record.mean_depth for record in offline[:3]] == [4, 2, 4]
    assert [record.flops_speedup for record in offline[::2][:2]] == [1, 1]
    # Two blocks of four, and one exit of one: the exits here are wide.
    assert 1.6 < offline[1].flops_speedup < 2.0


def test_offline_says_where_rows_left_and_that_it_is_right(
    offline: list[OfflineRecord],
) -> None:
    for record in offline[3:]:
        assert record.exit_histogram == [4, 3, 2, 1]
        assert record.mean_depth == 2.0
        assert record.exits_differing == 0
        assert record.ideal_time_speedup > 0
        assert record.rows_per_second == pytest.approx(10 / record.seconds)


def test_offline_of_every_driver_is_as_the_oracle_says(
    workload: Workload,
) -> None:
    options = BenchmarkOptions(
        tiny_config(), batch_sizes=(2,), drivers=DRIVERS, num_rounds=1
    )
    setting = workload.at_histogram((4, 3, 2, 1))
    _, *records = run_offline(workload, [setting], options)
    assert [x.variant for x in records] == [x.name for x in DRIVERS]
    assert {x.exits_differing for x in records} == {0}


def test_offline_of_planned_drivers_names_the_exits_asked(
    workload: Workload,
) -> None:
    options = BenchmarkOptions(
        tiny_config(),
        batch_sizes=(2,),
        drivers=(Variant(Kind.POOLED, is_planned=True),),
        num_rounds=1,
    )
    setting = workload.at_speed(0.5)
    (_, record) = run_offline(workload, [setting], options)
    assert record.variant == "pooled, planned"
    assert record.exits[-1] == 3
    assert record.exits_differing == 0


def test_batches_hold_every_row_once_in_its_own_bucket(
    workload: Workload,
) -> None:
    batches = Batches.of(workload.inputs, 2, longest=11)
    assert sorted(np.concatenate(batches.rows)) == list(range(10))
    for rows, inputs in batches:
        assert len(rows) <= 2
        length = inputs["token_ids"].shape[1]
        assert (LENGTHS[rows] <= length).all()
        assert (LENGTHS[rows] > length - 8).all()


def test_the_ideal_is_full_depth_over_what_rows_run(
    workload: Workload,
) -> None:
    """A block costs 2, an exit 1: 4 blocks and the teacher make 9."""
    costs = [
        SegmentCost(i, 6, 2, None if i == 3 else 2.0, 3.0) for i in range(4)
    ]
    table = CostTable(costs)
    everyone = workload.at_histogram((10, 0, 0, 0))
    assert ideal_speedup(table, everyone, LENGTHS, 2) == 9 / 3
    half = workload.at_histogram((5, 0, 0, 5))
    assert ideal_speedup(table, half, LENGTHS, 2) == 9 / (3 + 0.5 * 9)
    assert ideal_speedup(table, workload.at_speed(0.0), LENGTHS, 2) == 1.0


def test_single_stream_has_each_row_alone(workload: Workload) -> None:
    setting = workload.at_histogram((1, 1, 1, 1))
    options = BenchmarkOptions(tiny_config(), drivers=DRIVERS[:1])
    records = list(run_single_stream(workload, [setting], options))
    assert [x.variant for x in records] == [FULL_DEPTH.name, "driver"]
    for record in records:
        assert record.num_rows == 10
        assert 0 < record.p50_ms <= record.p90_ms <= record.p99_ms


class Clock:
    """Time that passes when rows are answered or somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.batches = []

    def answer(self, rows: np.ndarray) -> None:
        self.now += 1.0
        self.batches.append(rows.tolist())

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def test_a_server_takes_what_waits_and_counts_from_the_intended_time() -> None:
    clock = Clock()
    arrivals = np.array([0.5, 0.6, 0.7, 0.8, 9.0])
    seconds = play(clock.answer, arrivals, 3, 2, lambda: clock.now, clock.sleep)
    # The first alone; then two of those that came meanwhile; then the rest.
    assert clock.batches[1:] == [[0], [1, 2], [0], [1]]
    np.testing.assert_allclose(seconds, [1.0, 1.9, 1.8, 2.7, 1.0])


def test_a_server_run_has_every_variant_at_every_load(
    workload: Workload,
) -> None:
    setting = workload.at_histogram((1, 1, 1, 1))
    options = BenchmarkOptions(
        tiny_config(),
        loads=(0.5, 2.0),
        batch_sizes=(2,),
        num_arrivals=6,
        deadline_millis=1e6,
        drivers=DRIVERS[:1],
    )
    records = list(run_server(workload, [setting], options))
    names = [FULL_DEPTH.name, "driver"]
    assert [x.variant for x in records] == names * 2
    assert {x.share_on_time for x in records} == {1.0}
    rates = [x.arrivals_per_second for x in records]
    assert rates[2] == pytest.approx(4 * rates[0])


def test_shapes_are_timed_beside_one_graph(workload: Workload) -> None:
    options = BenchmarkOptions(tiny_config(), shapes=((2, 5),), num_rounds=1)
    records = list(run_shapes(workload.model, options))
    assert records[0].variant == FULL_DEPTH.name
    assert records[0].time_ratio == 1.0
    assert {(x.rows, x.length) for x in records} == {(2, 5)}
    assert all(x.gflops_per_second > 0 for x in records)


def test_precisions_are_compared_row_by_row(workload: Workload) -> None:
    settings = [workload.at_histogram(x) for x in ((1, 1, 1, 1), (5, 0, 0, 5))]
    records = list(run_precision(workload, settings))
    assert [x.setting for x in records] == ["depth 2.50", "depth 2.50"]
    # Forced exits are far from their thresholds.
    assert all(x.exits_changed == 0 for x in records)
    assert all(x.num_rows == 10 for x in records)


def test_precisions_that_differ_are_told(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = workload.trace.exit_logits.copy()
    logits[:, :3] = 0.0  # Three rows become unsure, and answer another class.
    monkeypatch.setattr(precisions, "exit_logits", lambda *_: logits)
    setting = workload.at_histogram((10, 0, 0, 0))
    (record,) = run_precision(workload, [setting])
    assert record.exits_changed == 0.3


def test_endurance_repeats_the_rows_without_a_new_trace(
    workload: Workload,
) -> None:
    driver = PooledDriver(build_segments(workload.model), 2)
    setting = workload.at_histogram((1, 1, 1, 1))
    records = list(run_endurance(driver, workload, setting, (10, 25), 1))
    assert [x.num_rows for x in records] == [10, 25]
    for record in records:
        assert record.num_traces == 1
        assert record.resident_mib[0] > 0
