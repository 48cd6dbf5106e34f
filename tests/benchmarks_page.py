"""BENCHMARKS.md, from the lines `fastbert-benchmark` wrote.

Write it anew with `python -m tests.benchmarks_page`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fastbert_tf.segments.benchmarks.records import read_records
from fastbert_tf.segments.benchmarks.tables import columns_of, markdown_table

_TOP = Path(__file__).parent.parent
PAGE = _TOP / "BENCHMARKS.md"
RECORDS = _TOP / "tests" / "goldens" / "benchmarks"
INTRODUCTION = RECORDS / "introduction.md"


class Line(NamedTuple):
    """A line of the summary: a question, and the record that answers it.

    Args:
        question: str, in a user's words.
        table: str, how the file of the record begins.
        chosen: fields by which the record is known.
        figure: format of the answer, over the record's fields.
        baseline: the same of what it is compared with.
    """

    question: str
    table: str
    chosen: dict[str, Any]
    figure: str
    baseline: dict[str, Any]


_FULL = {"variant": "full depth, one graph"}
_POOLED = {"variant": "pooled"}
_BFLOAT16 = {"precision": "bfloat16"}
_ROWS = "{rows_per_second:,.0f} texts/s at {accuracy:.2%}"
_MS = "{mean_ms:.1f} ms, p99 {p99_ms:.1f}"
_ON_TIME = "{share_on_time:.0%}"
_ENGINE = {"variant": "engine", "load": 2.0}
SUMMARY = (
    Line(
        "Many texts, nothing lost",
        "02",
        {**_POOLED, "setting": "speed 0.3513"},
        _ROWS,
        _FULL,
    ),
    Line(
        "Many texts, 0.05 point lost",
        "02",
        {**_POOLED, "setting": "speed 0.5288"},
        _ROWS,
        _FULL,
    ),
    Line(
        "Many texts, 0.7 point lost",
        "02",
        {**_POOLED, "setting": "speed 0.7165"},
        _ROWS,
        _FULL,
    ),
    Line(
        "One text at a time, mean depth 3",
        "06",
        {"variant": "single graph", "setting": "speed 0.5466"},
        _MS,
        _FULL,
    ),
    Line(
        "The same at BERT-base sizes, bfloat16",
        "16",
        {"variant": "single graph", **_BFLOAT16},
        _MS,
        {**_FULL, **_BFLOAT16},
    ),
    Line(
        "The same on OpenVINO",
        "16",
        {"variant": "driver on openvino", **_BFLOAT16},
        _MS,
        {**_FULL, **_BFLOAT16},
    ),
    Line(
        "Requests in time, 500 ms, twice what full depth can do",
        "14",
        _ENGINE,
        _ON_TIME,
        {**_ENGINE, "variant": "engine at full depth"},
    ),
    Line(
        "The same over HTTP, client on the same two cores",
        "15",
        {"variant": "server pools", "load": 2.0},
        _ON_TIME,
        {"variant": "server full_depth", "load": 2.0},
    ),
)
_SUMMARY_HEAD = """\
Each line compares two rows of one table below, measured in one run, in turn;
"full depth" is the same weights as one frozen graph of TensorFlow in the same
precision. Runtimes in int8 at full depth are not in this table yet.

| what | with exits | full depth | table |
| --- | --- | --- | --- |"""


def summary_table() -> str:
    """The lines of `SUMMARY` as Markdown."""
    lines = [_SUMMARY_HEAD]
    for line in SUMMARY:
        (path,) = RECORDS.glob(f"{line.table}-*.jsonl")
        _, records = read_records(path)
        figures = [
            line.figure.format(**_only(records, chosen))
            for chosen in (line.chosen, line.baseline)
        ]
        lines.append(
            f"| {' | '.join([line.question, *figures, _title(path)])} |"
        )
    return "\n".join(lines) + "\n"


def _only(
    records: list[dict[str, Any]], chosen: dict[str, Any]
) -> dict[str, Any]:
    """The one record with these fields."""
    (found,) = (r for r in records if chosen.items() <= r.items())
    return found


def _title(path: Path) -> str:
    title = path.stem.partition("-")[2].replace("_", " ")
    return f"{title[0].upper()}{title[1:]}"


def rendered_page() -> str:
    """The summary, how to read it, then a section a file of records."""
    introduction = INTRODUCTION.read_text(encoding="utf-8")
    title, how_to_read = introduction.split("\n\n", 1)
    sections = [f"{title}\n", summary_table(), how_to_read]
    for path in sorted(RECORDS.glob("*.jsonl")):
        sections.append("\n".join(_section(path)))
    return "\n".join(sections)


def _section(path: Path) -> Iterator[str]:
    environment, records = read_records(path)
    yield f"## {_title(path)}\n"
    yield f"    {environment['command']}\n"
    yield _machine(environment) + "\n"
    yield markdown_table(columns_of(records))


def _machine(environment: dict[str, Any]) -> str:
    versions = (f"{k} {v}" for k, v in environment["versions"].items())
    return (
        f"{environment['device']}, {environment['num_cores']} cores "
        f"({', '.join(environment['instructions'])}); "
        f"{', '.join(versions)}; TF_ENABLE_ONEDNN_OPTS "
        f"{environment['onednn']}; revision {environment['revision']}."
    )


if __name__ == "__main__":
    PAGE.write_text(rendered_page(), encoding="utf-8")
