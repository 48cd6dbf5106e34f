"""Records of a benchmark as columns, for the terminal and BENCHMARKS.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]
Cell = Callable[[Any], str]

_MISSING = "-"


def _text(value: Any) -> str:
    return str(value)


def _count(value: Any) -> str:
    return f"{value:,}"


def _ratio(value: Any) -> str:
    return f"{value:.2f}x"


def _percent(value: Any) -> str:
    return f"{100 * value:.2f}"


def _number(digits: int, scale: float = 1.0) -> Cell:
    return lambda value: f"{scale * value:,.{digits}f}"


def _exits(value: Any) -> str:
    """All, or which."""
    return "all" if value == list(range(value[-1] + 1)) else _list(value)


def _list(value: Any) -> str:
    return " ".join(str(x) for x in value)


# Scenario to its columns: title, field, and how the field is written.
COLUMNS: Mapping[str, Sequence[tuple[str, str, Cell]]] = {
    "offline": (
        ("precision", "precision", _text),
        ("batch", "batch_size", _count),
        ("variant", "variant", _text),
        ("setting", "setting", _text),
        ("accuracy %", "accuracy", _percent),
        ("mean depth", "mean_depth", _number(2)),
        ("rows/s", "rows_per_second", _number(1)),
        ("FLOPs", "flops_speedup", _ratio),
        ("time", "time_speedup", _ratio),
        ("ideal time", "ideal_time_speedup", _ratio),
        ("exits asked", "exits", _exits),
        ("left at M0, M1, ...", "exit_histogram", _list),
        ("not as the oracle", "exits_differing", _count),
    ),
    "single_stream": (
        ("precision", "precision", _text),
        ("variant", "variant", _text),
        ("setting", "setting", _text),
        ("accuracy %", "accuracy", _percent),
        ("mean depth", "mean_depth", _number(2)),
        ("mean ms", "mean_ms", _number(2)),
        ("p50", "p50_ms", _number(2)),
        ("p90", "p90_ms", _number(2)),
        ("p99", "p99_ms", _number(2)),
        ("FLOPs", "flops_speedup", _ratio),
        ("time", "time_speedup", _ratio),
        ("left at M0, M1, ...", "exit_histogram", _list),
    ),
    "server": (
        ("variant", "variant", _text),
        ("setting", "setting", _text),
        ("load", "load", _ratio),
        ("rows/s", "arrivals_per_second", _number(1)),
        ("accuracy %", "accuracy", _percent),
        ("on time %", "share_on_time", _percent),
        ("unanswered %", "share_unanswered", _percent),
        ("p50 ms", "p50_ms", _number(1)),
        ("p90", "p90_ms", _number(1)),
        ("p99", "p99_ms", _number(1)),
        ("drained s", "drained_seconds", _number(2)),
    ),
    "full_depth": (
        ("shape", "shape", _text),
        ("precision", "precision", _text),
        ("variant", "variant", _text),
        ("computes in", "computes_in", _text),
        ("ms", "seconds", _number(2, 1e3)),
        ("GFLOP/s", "gflops_per_second", _number(0)),
        ("time of one graph", "time_ratio", _ratio),
    ),
    "cost_table": (
        ("segment", "segment", _text),
        ("length", "length", _count),
        ("batch", "batch_size", _count),
        ("blocks ms", "advance_seconds", _number(3, 1e3)),
        ("with exit ms", "run_seconds", _number(3, 1e3)),
    ),
    "precision": (
        ("setting", "setting", _text),
        ("float32 accuracy %", "float32_accuracy", _percent),
        ("bfloat16 accuracy %", "bfloat16_accuracy", _percent),
        ("exits changed %", "exits_changed", _percent),
        ("labels changed %", "labels_changed", _percent),
    ),
    "endurance": (
        ("rows", "num_rows", _count),
        ("setting", "setting", _text),
        ("seconds", "seconds", _number(2)),
        ("us/row", "microseconds_per_row", _number(1)),
        ("resident MiB by round", "resident_mib", lambda x: _list(map(int, x))),
        ("traces", "num_traces", _count),
    ),
    "loadgen": (
        ("scenario", "loadgen_scenario", _text),
        ("variant", "variant", _text),
        ("setting", "setting", _text),
        ("rows/s", "rows_per_second", _number(1)),
        ("p50 ms", "p50_ms", _number(2)),
        ("p90", "p90_ms", _number(2)),
        ("p99", "p99_ms", _number(2)),
        ("queries", "num_queries", _count),
        ("valid", "is_valid", _text),
    ),
}


def columns_of(records: Sequence[Record]) -> dict[str, list[str]]:
    """Title to cells, for records of one scenario.

    A column that no record has a value in is left out.
    """
    columns = {}
    for title, field, cell in COLUMNS[records[0]["scenario"]]:
        values = [record.get(field) for record in records]
        if any(value is not None for value in values):
            columns[title] = [
                _MISSING if value is None else cell(value) for value in values
            ]
    return columns


def markdown_table(columns: Mapping[str, Sequence[str]]) -> str:
    """The columns in Markdown."""
    lines = [list(columns), ["---"] * len(columns)]
    lines += [list(row) for row in zip(*columns.values(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
