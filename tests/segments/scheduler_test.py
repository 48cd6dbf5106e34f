"""The scheduler alone, over random rows, depths and buckets."""

import math
import random
from collections import Counter, defaultdict
from typing import Any

import pytest

from fastbert_tf.segments.scheduler import (
    MAX_IN_FLIGHT,
    Plan,
    Scheduler,
    run_to_end,
)


class Watcher:
    """An executor that knows where each row leaves and checks every plan."""

    def __init__(self, scheduler: Scheduler, exits: list[int]) -> None:
        self.scheduler = scheduler
        self.exits = exits
        self.reached = [0] * len(exits)
        self.left = Counter()
        self.launches = defaultdict(list)
        self.in_flight = []
        self.most_waiting = 0

    def launch(self, plan: Plan) -> list[bool]:
        assert len(set(plan.row_ids)) == len(plan.row_ids)
        for row in plan.row_ids:
            assert self.reached[row] == plan.segment
            self.reached[row] += 1
        self.launches[plan.bucket, plan.segment].append(plan.row_ids)
        self.in_flight.append(plan)
        assert len(self.in_flight) <= MAX_IN_FLIGHT
        self.most_waiting = max(self.most_waiting, self.scheduler.num_waiting)
        return [self.exits[row] == plan.segment for row in plan.row_ids]

    def collect(self, plan: Plan, leaves: list[bool]) -> list[bool]:
        assert self.in_flight.pop(0) is plan
        for row, leaves_now in zip(plan.row_ids, leaves, strict=True):
            self.left[row] += leaves_now
        return leaves


def run(seed: int) -> tuple[Watcher, list[int], int, int]:
    """A random schedule; the watcher, buckets of the rows, L and B."""
    rng = random.Random(seed)
    num_segments, size = rng.randint(1, 5), rng.randint(1, 4)
    num_rows = rng.choice([0, 1, rng.randint(2, 12), rng.randint(2, 40)])
    exits = [rng.randrange(num_segments) for _ in range(num_rows)]
    num_buckets = rng.randint(1, 3)
    buckets = [8 * rng.randint(1, num_buckets) for _ in range(num_rows)]
    scheduler = Scheduler(num_segments, size)
    for bucket in sorted(set(buckets)):
        rows = [i for i, b in enumerate(buckets) if b == bucket]
        scheduler.add(bucket, rows)
    scheduler.close()
    watcher = Watcher(scheduler, exits)
    run_to_end(scheduler, watcher)
    return watcher, buckets, num_segments, size


def check(seed: int) -> None:
    watcher, buckets, num_segments, size = run(seed)
    rows = range(len(buckets))
    assert watcher.left == Counter(rows)
    assert watcher.reached == [exit_ + 1 for exit_ in watcher.exits]
    assert watcher.scheduler.num_waiting == 0
    for bucket in set(buckets):
        for i in range(num_segments):
            mine = [r for r in rows if buckets[r] == bucket]
            reaching = [r for r in mine if watcher.exits[r] >= i]
            launches = watcher.launches[bucket, i]
            assert len(launches) == math.ceil(len(reaching) / size)
            # First in, first out.
            assert [r for batch in launches for r in batch] == reaching


@pytest.mark.parametrize("start", range(0, 4_000, 1_000))
def test_rows_leave_once_in_order_with_the_fewest_launches(
    start: int,
) -> None:
    for seed in range(start, start + 1_000):
        check(seed)


@pytest.mark.parametrize("seed", range(20))
def test_few_rows_wait_inside_however_many_there_are(seed: int) -> None:
    rng = random.Random(seed)
    num_segments, size, num_buckets = 5, 4, 6
    exits = [rng.randrange(num_segments) for _ in range(3_000)]
    scheduler = Scheduler(num_segments, size)
    for i in range(num_buckets):
        scheduler.add(i, range(i * 500, (i + 1) * 500))
    scheduler.close()
    watcher = Watcher(scheduler, exits)
    run_to_end(scheduler, watcher)
    of_one = (num_segments - 1) * (size - 1) + MAX_IN_FLIGHT * size
    assert 0 < watcher.most_waiting <= 2 * of_one


def test_a_run_of_a_scheduler_still_open_is_a_defect() -> None:
    with pytest.raises(AssertionError):
        run_to_end(Scheduler(2, 2), None)


@pytest.mark.slow
def test_a_hundred_thousand_schedules() -> None:
    for seed in range(4_000, 104_000):
        check(seed)


def test_the_deepest_full_pool_runs_first() -> None:
    scheduler = Scheduler(3, 2)
    scheduler.add(8, [0, 1, 2, 3, 4, 5])
    order = []
    for _ in range(6):
        plan = scheduler.next_plan()
        order.append(plan.segment)
        scheduler.update(plan, [plan.segment == 2] * 2)
    assert order == [0, 1, 2, 0, 1, 2]


def test_a_pool_that_is_not_full_waits_for_more_rows() -> None:
    scheduler = Scheduler(2, 2)
    scheduler.add(8, [0])
    assert scheduler.next_plan() is None
    scheduler.add(8, [1])
    assert scheduler.next_plan() == Plan(0, 8, (0, 1))


def test_draining_begins_with_the_shallowest_pool() -> None:
    scheduler = Scheduler(3, 4)
    scheduler.add(8, [0, 1, 2, 3])
    first = scheduler.next_plan()
    scheduler.update(first, [True, True, True, False])
    scheduler.add(8, [4])
    scheduler.close()
    assert scheduler.next_plan() == Plan(0, 8, (4,))


def test_draining_waits_for_what_may_still_fill_a_pool() -> None:
    scheduler = Scheduler(2, 2)
    scheduler.add(8, [0, 1, 2])
    scheduler.close()
    full = scheduler.next_plan()
    rest = scheduler.next_plan()
    assert rest == Plan(0, 8, (2,))
    scheduler.update(full, [False, True])
    assert scheduler.next_plan() is None
    scheduler.update(rest, [False])
    assert scheduler.next_plan() == Plan(1, 8, (0, 2))


def test_a_bucket_is_finished_before_the_next_begins() -> None:
    watcher = Watcher(Scheduler(2, 2), [1] * 8)
    scheduler = watcher.scheduler
    scheduler.add(8, range(4))
    scheduler.add(16, range(4, 8))
    scheduler.close()
    order = []
    launch = watcher.launch

    def noted(plan: Plan) -> Any:
        order.append(plan.bucket)
        return launch(plan)

    watcher.launch = noted
    run_to_end(scheduler, watcher)
    assert order == [8] * 4 + [16] * 4


def test_the_next_launch_is_issued_before_the_last_is_read() -> None:
    scheduler = Scheduler(2, 1)
    scheduler.add(8, [0, 1, 2])
    scheduler.close()
    events = []

    class Recorder:
        def launch(self, plan: Plan) -> None:
            events.append(("launch", plan.row_ids[0], plan.segment))

        def collect(self, plan: Plan, _: None) -> list[bool]:
            events.append(("collect", plan.row_ids[0], plan.segment))
            return [plan.segment == 1]

    run_to_end(scheduler, Recorder())
    assert events[:3] == [("launch", 0, 0), ("launch", 1, 0), ("collect", 0, 0)]


@pytest.mark.parametrize("size", [0, -1, 2.0, None])
def test_an_impossible_batch_size_is_refused(size: Any) -> None:
    with pytest.raises(ValueError, match="`max_batch_size` must be a whole"):
        Scheduler(2, size)
