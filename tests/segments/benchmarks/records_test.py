import dataclasses
import pathlib

import pytest

from fastbert_tf.segments.benchmarks.environment import Environment
from fastbert_tf.segments.benchmarks.offline import OfflineRecord
from fastbert_tf.segments.benchmarks.records import (
    as_fields,
    read_records,
    write_records,
)
from fastbert_tf.segments.benchmarks.runs import SCENARIOS
from fastbert_tf.segments.benchmarks.tables import (
    COLUMNS,
    columns_of,
    markdown_table,
)

RECORD = OfflineRecord(
    workload="model/",
    precision="float32",
    batch_size=32,
    variant="pooled",
    setting="speed 0.5",
    exits=[0, 1],
    num_rows=2000,
    accuracy=0.90954,
    mean_depth=1.5,
    exit_histogram=[1500, 500],
    flops_speedup=7.366,
    seconds=1.0 / 3.0,
    rows_per_second=6000.0,
    time_speedup=7.1,
    ideal_time_speedup=None,
    exits_differing=0,
)


def test_a_file_holds_the_environment_and_the_records(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "records.jsonl"
    write_records(str(path), [as_fields(RECORD)] * 2)
    environment, records = read_records(path)
    assert environment == dataclasses.asdict(Environment.current())
    assert records == [as_fields(RECORD)] * 2


def test_floats_are_kept_to_six_digits() -> None:
    assert as_fields(RECORD)["seconds"] == 0.333333


def test_columns_without_a_value_are_left_out() -> None:
    columns = columns_of([as_fields(RECORD)])
    assert "ideal time" not in columns
    assert columns["accuracy %"] == ["90.95"]
    assert columns["FLOPs"] == ["7.37x"]
    assert columns["left at M0, M1, ..."] == ["1500 500"]


def test_a_missing_value_beside_others_is_a_dash() -> None:
    bare = dataclasses.replace(RECORD, accuracy=None)
    columns = columns_of([as_fields(RECORD), as_fields(bare)])
    assert columns["accuracy %"] == ["90.95", "-"]


def test_a_table_in_markdown_has_a_line_a_record() -> None:
    table = markdown_table({"a": ["1", "2"], "b": ["x", "y"]})
    assert table == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 | y |\n"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_has_columns(scenario: str) -> None:
    assert COLUMNS[scenario]
