"""Reports of an evaluation, as a table and as JSON lines."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..files.atomic_file import replaced_file
from .reports import ExitReport, SpeedReport

Report = SpeedReport | ExitReport

_MISSING = "-"
_NUMBER_CHARACTERS = set("0123456789.,+-x% ")


def format_table(columns: Mapping[str, Sequence[str]]) -> str:
    """Columns under their titles, numbers to the right, text to the left.

    Args:
        columns: title to cells, all of one number.
    """
    drawn = []
    for title, cells in columns.items():
        assert len(cells) == len(next(iter(columns.values())))
        width = max(len(text) for text in (title, *cells))
        is_number = all(set(cell) <= _NUMBER_CHARACTERS for cell in cells)
        align = str.rjust if is_number else str.ljust
        lines = (title, "-" * width, *cells)
        drawn.append([align(line, width) for line in lines])
    rows = zip(*drawn, strict=True)
    return "\n".join("  ".join(row).rstrip() for row in rows)


def report_table(
    reports: Sequence[Report],
    extra_columns: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """A line a report: what answers, how well, and what it costs.

    Put the last of `evaluate_exits` first to have full depth beside.

    Args:
        reports: of either kind, in the order of the lines.
        extra_columns: title to cells, one a report; a measured time speed-up
            for example. They come before the histogram.
    """
    columns = {
        "": [report_name(report) for report in reports],
        "accuracy %": [_percent(report.accuracy) for report in reports],
        "mean depth": [f"{report.mean_depth:.2f}" for report in reports],
        "MFLOPs": [f"{r.flops_per_example / 1e6:,.1f}" for r in reports],
        "FLOPs speed-up": [_ratio(r.flops_speedup) for r in reports],
        "paper FLOPs": [_ratio(r.paper_flops_speedup) for r in reports],
        **(extra_columns or {}),
    }
    if any(isinstance(report, SpeedReport) for report in reports):
        columns["answered by M0, M1, ..."] = _histograms(reports)
    return format_table(columns)


def report_name(report: Report) -> str:
    """`speed 0.5`, `M3 alone`, or `full depth` for the last exit alone."""
    if isinstance(report, SpeedReport):
        return f"speed {report.speed:g}"
    is_last = report.exit_index == len(report.exit_histogram) - 1
    return "full depth" if is_last else f"M{report.exit_index} alone"


def _percent(share: float | None) -> str:
    return _MISSING if share is None else f"{100 * share:.2f}"


def _ratio(value: float) -> str:
    return f"{value:.2f}x"


def _histograms(reports: Sequence[Report]) -> list[str]:
    """The counts of every report, aligned exit below exit."""
    counts = [[str(n) for n in report.exit_histogram] for report in reports]
    width = max(len(count) for row in counts for count in row)
    return [" ".join(count.rjust(width) for count in row) for row in counts]


def write_json_lines(path: str, reports: Sequence[Any]) -> None:
    """One JSON object a line, a field of the dataclass a key.

    The file is written aside and renamed. A number that is not finite, which
    JSON has not, is written as null.

    Args:
        path: str, file to make or replace.
        reports: dataclass instances.

    Raises:
        OSError: it cannot be written; what was at `path` is still there.
    """
    with (
        replaced_file(path) as partial,
        open(partial, "w", encoding="utf-8") as file,
    ):
        for report in reports:
            fields = dataclasses.asdict(report)
            values = {k: _finite_or_none(v) for k, v in fields.items()}
            file.write(json.dumps(values, allow_nan=False) + "\n")


def _finite_or_none(value: Any) -> Any:
    is_number = isinstance(value, float)
    return None if is_number and not math.isfinite(value) else value
