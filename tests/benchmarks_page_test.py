"""BENCHMARKS.md says what was measured."""

import re

from .benchmarks_page import PAGE, RECORDS, rendered_page


def test_the_page_is_what_was_measured() -> None:
    assert PAGE.read_text(encoding="utf-8") == rendered_page()


def test_no_path_of_one_machine_is_in_the_records() -> None:
    for path in RECORDS.glob("*.jsonl"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"""(?<![\w.])/[\w.]+/""", text), path
