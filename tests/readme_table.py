"""The README's table and curve, from the lines `fastbert-evaluate` wrote.

Write both anew with `python -m tests.readme_table`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastbert_tf.evaluation import ExitReport, SpeedReport, plot_trade_off

_TOP = Path(__file__).parent.parent
README = _TOP / "README.md"
EVALUATIONS = _TOP / "tests" / "goldens" / "evaluations"
TASKS = {"ag_news": "AG News, 4 topics", "sst2": "SST-2, 2 sentiments"}
SPEEDS = (0.1, 0.2, 0.5, 0.8)
CURVE = _TOP / "docs" / "curve.png"
CURVE_TASK = "ag_news"
BEGIN, END = "<!-- table -->\n", "<!-- end of table -->"


def rendered_table() -> str:
    """The table in Markdown, with a line for full depth in each task."""
    lines = [
        "| text | | accuracy % | mean depth | FLOPs speed-up |",
        "|---|---|---:|---:|---:|",
    ]
    for name, title in TASKS.items():
        lines += list(_rows(EVALUATIONS / f"{name}.jsonl", title))
    return "\n".join(lines) + "\n"


def readme_parts() -> tuple[str, str, str]:
    """What stands before the README's table, the table, what follows."""
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    table, after = rest.split(END)
    return before, table, after


def write_curve(path: Path) -> None:
    """The curve of `CURVE_TASK`, at the table's speeds."""
    records = _records(EVALUATIONS / f"{CURVE_TASK}.jsonl")
    by_speed = [SpeedReport(**x) for x in records if x.get("speed") in SPEEDS]
    by_exit = [ExitReport(**x) for x in records if "exit_index" in x]
    plot_trade_off(str(path), by_speed, by_exit)


def _records(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _rows(path: Path, title: str) -> Iterator[str]:
    records = _records(path)
    exits = [record for record in records if "exit_index" in record]
    yield _row(title, "BERT, 12 blocks", exits[-1])
    for record in records:
        if record.get("speed") in SPEEDS:
            yield _row("", f"`speed={record['speed']:g}`", record)


def _row(title: str, name: str, record: dict[str, Any]) -> str:
    return (
        f"| {title} | {name} | {100 * record['accuracy']:.1f} | "
        f"{record['mean_depth']:.1f} | {record['flops_speedup']:.1f}x |"
    )


if __name__ == "__main__":
    before, _, after = readme_parts()
    text = before + BEGIN + rendered_table() + END + after
    README.write_text(text, encoding="utf-8")
    write_curve(CURVE)
