"""Tables and JSON lines of reports made by hand."""

import dataclasses
import json

import pytest

from fastbert_tf.evaluation.reports import ExitReport, SpeedReport
from fastbert_tf.evaluation.table import (
    format_table,
    report_name,
    report_table,
    write_json_lines,
)

SPEED = SpeedReport(0.5, 0.9125, 1.25, [3, 1], 1.5e6, 1.6, 1.7)
STUDENT = ExitReport(0, 0.5, 1.0, [4, 0], 1.0e6, 2.0, 2.1)
TEACHER = ExitReport(1, 1.0, 2.0, [0, 4], 2.0e6, 1.0, 1.0)


def test_columns_are_aligned_numbers_right_and_text_left():
    table = format_table({"what": ["a", "bcdefg"], "n": ["10.5", "7"]})
    assert table.splitlines() == [
        "what       n",
        "------  ----",
        "a       10.5",
        "bcdefg     7",
    ]


def test_reports_are_named_after_what_answers():
    names = [report_name(report) for report in (SPEED, STUDENT, TEACHER)]
    assert names == ["speed 0.5", "M0 alone", "full depth"]


def test_a_line_has_accuracy_depth_cost_and_histogram():
    full_depth, speed = report_table([TEACHER, SPEED]).splitlines()[2:]
    cells = "full depth 100.00 2.00 2.0 1.00x 1.00x 0 4"
    assert full_depth.split() == cells.split()
    cells = "speed 0.5 91.25 1.25 1.5 1.60x 1.70x 3 1"
    assert speed.split() == cells.split()


def test_exits_alone_need_no_histogram():
    assert "answered by" not in report_table([STUDENT, TEACHER])


def test_extra_columns_stand_before_the_histogram():
    extra = {"time speed-up": ["1.00x", "1.41x"]}
    table = report_table([TEACHER, SPEED], extra)
    titles = table.splitlines()[0]
    assert titles.index("time speed-up") < titles.index("answered by")
    assert "1.41x" in table


def test_missing_accuracy_is_a_dash():
    unlabelled = dataclasses.replace(SPEED, accuracy=None)
    assert " - " in report_table([unlabelled])


def test_json_lines_hold_one_report_each(tmp_path):
    path = tmp_path / "report.jsonl"
    write_json_lines(str(path), [SPEED, STUDENT])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [dataclasses.asdict(SPEED), dataclasses.asdict(STUDENT)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_json_lines_have_null_where_there_is_no_number(tmp_path, value):
    path = tmp_path / "report.jsonl"
    write_json_lines(str(path), [dataclasses.replace(SPEED, accuracy=value)])
    assert '"accuracy": null' in path.read_text()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "report.jsonl"
    path.write_text("old")
    broken = dataclasses.replace(SPEED, exit_histogram=[object()])
    with pytest.raises(TypeError):
        write_json_lines(str(path), [SPEED, broken])
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [
        ("report.jsonl", "old")
    ]


def test_a_missing_folder_is_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder for .*no/r\.jsonl"):
        write_json_lines(str(tmp_path / "no" / "r.jsonl"), [SPEED])


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a file"):
        write_json_lines(str(tmp_path), [SPEED])
