import numpy as np
import pytest

from fastbert_tf import FastBertClassifier
from fastbert_tf.segments import Driver, SegmentPlan, build_segments
from fastbert_tf.segments.backends.building import build_static

from ..tiny_models import tiny_inputs
from ..tolerances import tolerance

Models = list[FastBertClassifier]


def test_blocks_between_exits_run_in_one_segment(models: Models) -> None:
    segments = build_segments(models[0], plan=SegmentPlan(4, (0, 2, 3)))
    assert [segment.name for segment in segments] == ["M0", "M1-M2", "M3"]


def test_spans_cover_every_block_once() -> None:
    for exits in ((11,), (0, 11), (3, 4, 11), tuple(range(12))):
        spans = SegmentPlan(12, exits).spans
        blocks = [i for a, b in spans for i in range(a, b + 1)]
        assert blocks == list(range(12))


def test_the_two_extremes() -> None:
    assert SegmentPlan.every_exit(3).exits == (0, 1, 2)
    assert SegmentPlan.teacher_only(3).exits == (2,)


@pytest.mark.parametrize(
    "exits", [(), (0,), (2, 1, 3), (1, 1, 3), (-1, 3), (0, 4)]
)
def test_impossible_exits_are_refused(exits: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="end with the last, 3"):
        SegmentPlan(4, exits)


def test_a_plan_of_another_model_is_refused(models: Models) -> None:
    with pytest.raises(ValueError, match="must be of 4 blocks"):
        build_segments(models[0], plan=SegmentPlan.every_exit(12))


@pytest.mark.parametrize("exit_index", [0, 2, 3])
def test_a_static_network_answers_as_its_exit_alone(
    models: Models, exit_index: int
) -> None:
    static = build_static(models[0], exit_index)
    expected = models[0].exit_logits(tiny_inputs())[exit_index]
    received = static.run(tiny_inputs())["logits"]
    np.testing.assert_allclose(received, expected, **tolerance())


def test_planned_segments_advance_without_their_students(
    models: Models,
) -> None:
    segments = build_segments(models[0], plan=SegmentPlan(4, (1, 3)))
    result = Driver(segments).predict(tiny_inputs(), 0.0)
    expected = models[0].exit_logits(tiny_inputs())[-1]
    np.testing.assert_allclose(result.logits, expected, **tolerance())
