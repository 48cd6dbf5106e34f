"""`LoadgenReport`: the result of a run, read from LoadGen's logs."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_RATES = {
    "offline": "Samples per second",
    "single_stream": "QPS w/ loadgen overhead",
    "server": "Completed samples per second",
}
_PERCENTILES = (50, 90, 99)
_NS_A_MS = 1e6
_EARLY_STOPPING = "Early Stopping"
# Only these lines: others quote git's log, and need not be JSON.
_DETAIL = re.compile(r':::MLLOG ({"key": "(?:result_query_count|error_).*)')


@dataclasses.dataclass(frozen=True)
class LoadgenReport:
    """What LoadGen says of a run; nothing in it is measured here.

    Args:
        scenario: str, `offline`, `single_stream` or `server`.
        is_valid: bool, LoadGen's own verdict, on the settings it was given.
        rows_per_second: float; in `server`, those completed.
        latency_p50_ms: float. In `offline` every row waits for all of them.
        latency_p90_ms: float.
        latency_p99_ms: float.
        num_queries: int, 1 in `offline`.
        num_rows: int, of all queries together.
        reasons: strs, LoadGen's words on why the run is not valid, and the
            errors it met.
    """

    scenario: str
    is_valid: bool
    rows_per_second: float
    latency_p50_ms: float
    latency_p90_ms: float
    latency_p99_ms: float
    num_queries: int
    num_rows: int
    reasons: tuple[str, ...]


def read_report(scenario: str, summary: str, detail: str) -> LoadgenReport:
    """Reads the logs of a run.

    Args:
        scenario: str, `offline`, `single_stream` or `server`.
        summary: str, text of `mlperf_log_summary.txt`.
        detail: str, text of `mlperf_log_detail.txt`.

    Raises:
        ValueError: the logs lack something that the report needs.
    """
    fields = dict(_fields(summary))
    latencies = [
        float(_field(fields, f"{percentile}.00 percentile latency (ns)"))
        for percentile in _PERCENTILES
    ]
    is_valid = _field(fields, "Result is") == "VALID"
    events = [json.loads(text) for text in _DETAIL.findall(detail)]
    counts = {event["key"]: event["value"] for event in events}
    errors = [e["value"] for e in events if e["key"].startswith("error_")]
    num_queries = _field(counts, "result_query_count")
    rows_a_query = int(_field(fields, "samples_per_query"))
    return LoadgenReport(
        scenario,
        is_valid,
        float(_field(fields, _RATES[scenario])),
        *[nanoseconds / _NS_A_MS for nanoseconds in latencies],
        num_queries=num_queries,
        num_rows=num_queries * rows_a_query,
        reasons=(*([] if is_valid else _unmet(summary)), *errors),
    )


def _fields(summary: str) -> Iterator[tuple[str, str]]:
    for line in summary.splitlines():
        key, _, value = line.partition(":")
        if value:
            yield key.strip(), value.strip()


def _field(fields: Mapping[str, Any], key: str) -> Any:
    if key not in fields:
        raise ValueError(
            f"LoadGen's logs must have {key!r}. Received: {sorted(fields)}. "
            "Install a release of mlcommons-loadgen that writes it."
        )
    return fields[key]


def _unmet(summary: str) -> list[str]:
    """The conditions that were not met, then what LoadGen says to them."""
    verdict = summary.partition("Result is :")[2].partition("\n\n")[0]
    unmet, remarks, heading = [], [], ""
    for line in verdict.splitlines()[1:]:
        if line.endswith(":"):
            heading = line
        elif not heading:
            unmet += [line.strip()] if line.endswith("NO") else []
        elif line.startswith(" * "):
            remarks.append([heading, line[3:]])
        else:  # LoadGen breaks long lines.
            remarks[-1].append(line.strip())
    # Early stopping has its say even when it is content.
    is_stopped = any(line.lower().startswith("early stop") for line in unmet)
    return unmet + [
        " ".join(words)
        for place, *words in remarks
        if is_stopped or not place.startswith(_EARLY_STOPPING)
    ]
