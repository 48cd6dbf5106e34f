from collections import Counter

from fastbert_tf.segments import Driver, PooledEngine
from tests.segments.engine.engine_parts import Clock, watched
from tests.tiny_models import NUM_BLOCKS


def test_it_is_ready_when_every_segment_and_bucket_has_run(
    drivers: list[Driver],
) -> None:
    launches = Counter()
    segments = watched(
        drivers[0].segments, lambda *launch: launches.update([launch])
    )
    with PooledEngine(segments, 4) as engine:
        assert not engine.is_ready
        engine.warm_up()
        assert engine.is_ready
        # Two lengths, each twice with the exit; students twice without it.
        expected = {
            (place, rows): 4 if place == NUM_BLOCKS - 1 else 8
            for place in range(NUM_BLOCKS)
            for rows in (1, 4)
        }
        assert launches == expected
    assert not engine.is_ready


def test_it_is_not_ready_before_it_is_started(drivers: list[Driver]) -> None:
    engine = PooledEngine(drivers[0].segments, 4)
    engine.warm_up(sequence_length=5)
    assert not engine.is_ready


def test_warming_up_learns_what_launches_take(drivers: list[Driver]) -> None:
    clock = Clock()

    def pass_time(place: int, num_rows: int) -> None:
        clock.now += 1 + 0.5 * num_rows

    segments = watched(drivers[0].segments, pass_time)
    engine = PooledEngine(segments, 4, clock=clock)
    engine.warm_up()
    for place in range(NUM_BLOCKS):
        assert engine._costs.launch_seconds(place, 11, 2) == 2.0
