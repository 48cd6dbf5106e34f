"""What a run may be asked for, and how many rows a call takes."""

import math

import pytest

from fastbert_tf.export.beam import Scoring
from fastbert_tf.export.beam.settings import MAX_OVERHEAD, rows_per_call
from fastbert_tf.segments.scheduler import Plan, Scheduler, run_to_end


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"speed": 1.5}, "speed=1.5"),
        ({"output_format": "csv"}, "must be one of .* Received: 'csv'"),
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"num_shards": -1}, "Received: num_shards=-1"),
        ({"max_bad_rows": -1}, "Received: max_bad_rows=-1"),
        ({"bundle_dir": "gs://b/bundle"}, "must be a folder"),
    ],
)
def test_an_impossible_run_is_refused(
    given: dict[str, object], message: str
) -> None:
    paths = {"bundle_dir": "b", "input_path": "i", "output_path": "o"}
    with pytest.raises(ValueError, match=message):
        Scoring(**paths | given)


def test_paths_are_those_of_any_worker() -> None:
    scoring = Scoring("bundle", "gs://texts/*.tsv", "/scores")
    assert scoring.bundle_dir.endswith("/bundle")
    assert scoring.bundle_dir.startswith("/")
    assert scoring.input_path == "gs://texts/*.tsv"


class _Leaving:
    """Row i leaves at the exit `depths[i]`; counts the batches."""

    def __init__(self, depths: list[int]) -> None:
        self.depths = depths
        self.num_batches = 0

    def launch(self, plan: Plan) -> Plan:
        self.num_batches += 1
        return plan

    def collect(self, plan: Plan, step: Plan) -> list[bool]:
        return [self.depths[row] == step.segment for row in step.row_ids]


@pytest.mark.parametrize("deepest", [0, 3, 11])
def test_batches_that_are_not_full_cost_under_five_percent(
    deepest: int,
) -> None:
    num_rows = rows_per_call(num_exits=12, batch_size=8)
    depths = [row % 7919 % (deepest + 1) for row in range(num_rows)]
    scheduler, executor = Scheduler(12, 8), _Leaving(depths)
    scheduler.add(16, list(range(num_rows)))
    scheduler.close()
    run_to_end(scheduler, executor)
    full = math.fsum(depth + 1 for depth in depths) / 8
    assert full <= executor.num_batches <= (1 + MAX_OVERHEAD) * full
