"""The scheduler alone, on a simulated device with a simulated clock."""

import math
import random
from collections import Counter
from typing import Any

import pytest

from fastbert_tf.segments.engine.admission import SAFETY
from fastbert_tf.segments.engine.online_scheduler import OnlineScheduler
from fastbert_tf.segments.scheduler import Plan
from tests.segments.engine.simulated_device import (
    ANSWERED,
    CANCELLED,
    EXPIRED,
    FAILED,
    REFUSED,
    Arrival,
    Simulation,
    known_costs,
    launch_seconds,
)


def random_arrivals(rng: random.Random, num_segments: int) -> list[Arrival]:
    """Rows of some buckets; some have no deadline, some are cancelled."""
    rate = rng.choice([0.5, 2.0, 20.0])
    arrivals, now = [], 0.0
    for _ in range(rng.choice([0, 1, rng.randint(2, 60)])):
        now += rng.expovariate(rate)
        deadline = now + rng.choice([1.0, 3.0, 10.0, math.inf])
        cancelled = now + rng.choice([0.1, 4.0]) if rng.random() < 0.1 else None
        arrivals.append(
            Arrival(
                now,
                deadline,
                rng.randrange(num_segments),
                8 * rng.randint(1, 3),
                cancelled or math.inf,
            )
        )
    return arrivals


def random_simulation(seed: int) -> Simulation:
    rng = random.Random(seed)
    num_segments, size = rng.randint(1, 5), rng.randint(1, 4)
    costs = known_costs(num_segments, (8, 16, 24), size)
    scheduler = OnlineScheduler(
        num_segments,
        size,
        rng.choice([5, 1000]),
        rng.choice([costs, None]),
    )
    arrivals = random_arrivals(rng, num_segments)
    fails, in_flight = rng.choice([0.0, 0.1]), rng.randint(1, 2)
    return Simulation(scheduler, arrivals, fails, in_flight).run()


def check(simulation: Simulation) -> None:
    """What the simulation has not checked on its way."""
    arrivals = simulation.arrivals
    assert sorted(simulation.outcomes) == list(range(len(arrivals)))
    assert simulation.scheduler.num_rows == 0
    assert simulation.scheduler.num_waiting == 0
    for row, outcome in simulation.outcomes.items():
        if outcome == EXPIRED:
            assert arrivals[row].deadline < math.inf


def test_every_row_ends_once_by_the_rule() -> None:
    for seed in range(1_000):
        check(random_simulation(seed))


@pytest.mark.slow
def test_fifty_thousand_schedules() -> None:
    for seed in range(1_000, 51_000):
        check(random_simulation(seed))


def test_rows_end_in_every_way() -> None:
    """What the tests above rest on."""
    outcomes = Counter()
    for seed in range(300):
        outcomes.update(random_simulation(seed).outcomes.values())
    ways = (ANSWERED, EXPIRED, CANCELLED, FAILED, REFUSED)
    assert min(outcomes[x] for x in ways) > 10


NUM_SEGMENTS, SIZE = 12, 8
# Rows a second at full depth in full batches.
CAPACITY = SIZE / (NUM_SEGMENTS * launch_seconds(SIZE))


def poisson(
    rng: random.Random, load: float, count: int, **row: Any
) -> list[Arrival]:
    """Rows at a multiple of the full-depth capacity."""
    arrivals, now = [], 0.0
    seconds, exits = row["seconds"], row["exits"]
    for _ in range(count):
        now += rng.expovariate(load * CAPACITY)
        bucket = 8 * rng.randint(1, row.get("num_buckets", 1))
        deadline = now + seconds
        arrivals.append(Arrival(now, deadline, rng.choice(exits), bucket))
    return arrivals


def new_scheduler(num_buckets: int = 1) -> OnlineScheduler:
    buckets = [8 * (i + 1) for i in range(num_buckets)]
    costs = known_costs(NUM_SEGMENTS, buckets, SIZE)
    return OnlineScheduler(NUM_SEGMENTS, SIZE, 1_000, costs)


EASY = (0, 0, 0, 0, 0, 0, 1, 1, 2, NUM_SEGMENTS - 1)
DEEP = (NUM_SEGMENTS - 1,)


@pytest.mark.parametrize("seed", range(8))
def test_a_lone_deep_row_is_answered_in_time_below_capacity(
    seed: int,
) -> None:
    """All others leave at once, and nobody shares its length."""
    rng = random.Random(seed)
    seconds = 8 * NUM_SEGMENTS * launch_seconds(1)
    # At 8 rows that leave at M0 a launch, 80 % of the time is taken.
    load = 0.8 * NUM_SEGMENTS
    arrivals = poisson(rng, load, 600, seconds=seconds, exits=(0,))
    late = arrivals[500].time  # By then it is known that rows leave.
    arrivals.append(Arrival(late, late + seconds, NUM_SEGMENTS - 1, 16))
    simulation = Simulation(new_scheduler(2), arrivals).run()
    assert simulation.outcomes[600] == ANSWERED
    assert simulation.ended_at[600] <= arrivals[600].deadline


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("num_buckets", [1, 4])
def test_at_ten_times_capacity_rows_let_in_keep_their_deadline(
    seed: int, num_buckets: int
) -> None:
    rng = random.Random(seed)
    seconds = 8 * NUM_SEGMENTS * launch_seconds(SIZE)
    row = {"seconds": seconds, "exits": DEEP, "num_buckets": num_buckets}
    arrivals = poisson(rng, 10.0, 1_000, **row)
    simulation = Simulation(new_scheduler(num_buckets), arrivals).run()
    counts = Counter(simulation.outcomes.values())
    assert simulation.on_time() >= 0.99
    assert counts[REFUSED] > counts[ANSWERED] > 0
    # The device has been of use, and is free again within a deadline.
    assert counts[ANSWERED] > 0.7 * CAPACITY * arrivals[-1].time
    assert simulation.now <= arrivals[-1].time + seconds


def test_rows_that_leave_early_let_more_in() -> None:
    seconds = 8 * NUM_SEGMENTS * launch_seconds(SIZE)
    rng = random.Random(0)
    arrivals = poisson(rng, 3.0, 1_000, seconds=seconds, exits=EASY)
    simulation = Simulation(new_scheduler(), arrivals).run()
    late = simulation.outcomes.values()
    assert Counter(late)[ANSWERED] >= 0.99 * len(arrivals)
    assert simulation.on_time() >= 0.99


def added(
    scheduler: OnlineScheduler, *deadlines: float, bucket: int = 8
) -> None:
    """Rows numbered on from those there."""
    first = scheduler.num_rows
    ids = range(first, first + len(deadlines))
    for row, deadline in zip(ids, deadlines, strict=True):
        scheduler.add([row], [bucket], deadline, [True])


def test_of_a_pool_the_earliest_deadlines_run() -> None:
    scheduler = OnlineScheduler(2, 2, 9)
    added(scheduler, 7.0, 5.0, 6.0, math.inf)
    assert scheduler.next_plan(0.0) == Plan(0, 8, (1, 2))


def test_the_deepest_full_pool_runs_before_an_earlier_deadline() -> None:
    scheduler = OnlineScheduler(2, 2, 9)
    added(scheduler, 7.0, 8.0)
    scheduler.update(scheduler.next_plan(0.0), [])
    added(scheduler, 6.0, 6.5)
    added(scheduler, 1.0, bucket=16)
    plans = [scheduler.next_plan(0.0) for _ in range(2)]
    assert plans == [Plan(1, 8, (0, 1)), Plan(0, 8, (2, 3))]


def test_where_none_is_full_the_earliest_deadline_runs_at_once() -> None:
    scheduler = OnlineScheduler(2, 4, 9)
    added(scheduler, 7.0, 8.0)
    added(scheduler, 1.0, bucket=16)
    assert scheduler.next_plan(0.0) == Plan(0, 16, (2,))


def test_what_is_in_flight_may_fill_a_pool_that_is_not_full() -> None:
    scheduler = OnlineScheduler(2, 2, 9)
    added(scheduler, 1.0, 2.0, 3.0)
    full = scheduler.next_plan(0.0)
    assert scheduler.next_plan(0.0) is None
    scheduler.update(full, [0, 1])
    assert scheduler.next_plan(0.0) == Plan(0, 8, (2,))


def test_rows_past_their_deadline_leave_the_pools() -> None:
    scheduler = OnlineScheduler(2, 4, 9)
    added(scheduler, 5.0, 6.0)
    assert scheduler.expire(5.0) == []
    assert scheduler.expire(5.5) == [Plan(0, 8, (0,))]
    assert scheduler.next_plan(0.0) == Plan(0, 8, (1,))


def test_rows_that_can_no_longer_make_it_are_given_up() -> None:
    """A row alone takes 0.75 seconds; one that may not leave, 12 times."""
    scheduler = new_scheduler()
    scheduler.add([0, 1], [8, 8], 5.0, [True, False])
    assert scheduler.expire(0.0) == [Plan(0, 8, (1,))]
    assert scheduler.expire(4.2) == []
    assert scheduler.expire(4.3) == [Plan(0, 8, (0,))]


def test_a_row_removed_in_flight_does_not_go_on() -> None:
    scheduler = OnlineScheduler(2, 4, 9)
    added(scheduler, 5.0, 6.0)
    plan = scheduler.next_plan(0.0)
    assert scheduler.remove([1, 7]) == []
    assert scheduler.update(plan, []) == [0]
    assert scheduler.num_rows == 1


def test_room_is_for_rows_inside_not_for_those_waiting_alone() -> None:
    scheduler = OnlineScheduler(2, 4, 3)
    added(scheduler, math.inf, math.inf)
    scheduler.next_plan(0.0)
    given = math.inf, [True, True]
    assert scheduler.refusal([8, 8], *given, now=0.0) == "full"
    assert scheduler.refusal([8], math.inf, [True], now=0.0) is None


def test_a_deadline_that_has_come_is_refused() -> None:
    scheduler = OnlineScheduler(2, 4, 3)
    assert scheduler.refusal([8], 1.0, [True], now=1.0) == "deadline"


def test_a_row_must_have_the_time_to_go_through_alone() -> None:
    scheduler = new_scheduler()
    alone = NUM_SEGMENTS * launch_seconds(1)
    given = [True]
    assert scheduler.refusal([8], 0.9 * alone, given, now=0.0) == "deadline"
    assert scheduler.refusal([8], 1.3 * alone, given, now=0.0) is None


def test_no_row_can_come_behind_rows_that_take_until_its_deadline() -> None:
    scheduler = new_scheduler()
    scheduler.add(range(9), [8] * 9, 50.0, [True] * 9)
    needed = SAFETY * scheduler.backlog(now=0.0).seconds
    scheduler.add(range(9, 18), [8] * 9, 1e6, [True] * 9)
    backlog = scheduler.backlog(now=50.0 - 0.9 * needed)
    assert backlog.seconds > needed / SAFETY
    assert not backlog.is_hopeless(49.9)  # Before all that are inside.
    assert backlog.is_hopeless(50.0 + 0.05 * needed)
    assert not backlog.is_hopeless(50.0 + 0.15 * needed)
    assert not backlog.is_hopeless(1e6)


def test_rows_inside_keep_their_deadline_when_others_ask() -> None:
    unknown = OnlineScheduler(NUM_SEGMENTS, SIZE, 1_000)
    alone = NUM_SEGMENTS * launch_seconds(1)
    unknown.add([0], [8], 1.5 * alone, [True])
    given = 1.4 * alone, [True], 0.0
    assert unknown.refusal([16], *given) is None
    assert new_scheduler(2).refusal([16], *given) is None
    scheduler = new_scheduler(2)
    scheduler.add([0], [8], 1.5 * alone, [True])
    assert scheduler.refusal([16], *given) == "deadline"
    assert scheduler.refusal([16], math.inf, [True], 0.0) is None


@pytest.mark.parametrize("size", [0, -1, 2.0, None])
@pytest.mark.parametrize(
    "name", ["num_segments", "max_batch_size", "max_enqueued_rows"]
)
def test_impossible_sizes_are_refused(name: str, size: Any) -> None:
    sizes = {"num_segments": 2, "max_batch_size": 2, "max_enqueued_rows": 2}
    with pytest.raises(ValueError, match=f"`{name}` must be a whole"):
        OnlineScheduler(**sizes | {name: size})
