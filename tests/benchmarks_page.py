"""BENCHMARKS.md, from the lines `fastbert-benchmark` wrote.

Write it anew with `python -m tests.benchmarks_page`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastbert_tf.segments.benchmarks.records import read_records
from fastbert_tf.segments.benchmarks.tables import columns_of, markdown_table

_TOP = Path(__file__).parent.parent
PAGE = _TOP / "BENCHMARKS.md"
RECORDS = _TOP / "tests" / "goldens" / "benchmarks"
INTRODUCTION = RECORDS / "introduction.md"


def rendered_page() -> str:
    """The introduction, then a section a file of records."""
    sections = [INTRODUCTION.read_text(encoding="utf-8")]
    for path in sorted(RECORDS.glob("*.jsonl")):
        sections.append("\n".join(_section(path)))
    return "\n".join(sections)


def _section(path: Path) -> Iterator[str]:
    environment, records = read_records(path)
    title = path.stem.partition("-")[2].replace("_", " ")
    yield f"## {title[0].upper()}{title[1:]}\n"
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
