"""The `endurance` scenario: time and memory over many rows."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..buckets import cut
from ..pooled_driver import PooledDriver
from ..timing import time_in_turn
from .workload import Setting, Workload

_MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class EnduranceRecord:
    """So many rows through one `PooledDriver`.

    Args:
        workload, setting: of the run.
        num_rows: int; the workload's rows, again and again.
        seconds: float, median of the rounds.
        microseconds_per_row: float.
        resident_mib: list of float, memory of the process after each round.
        num_traces: int, graphs traced of each segment, at most; 1 is right.
    """

    workload: str
    setting: str
    num_rows: int
    seconds: float
    microseconds_per_row: float
    resident_mib: list[float]
    num_traces: int
    scenario: str = "endurance"


def run_endurance(
    driver: PooledDriver,
    workload: Workload,
    setting: Setting,
    counts: Sequence[int],
    num_rounds: int = 3,
) -> Iterator[EnduranceRecord]:
    """Times `predict` over each number of rows, in turn.

    Args:
        driver: `PooledDriver` of the workload's model.
        workload: `Workload`.
        setting: `Setting` of it.
        counts: ints, numbers of rows.
        num_rounds: int, after one that does not count.
    """
    memory = {count: [] for count in counts}

    given = {count: _repeated(workload, setting, count) for count in counts}

    def run(count: int) -> None:
        driver.predict(*given[count])
        memory[count].append(resident_bytes() / _MIB)

    runs = {count: functools.partial(run, count) for count in counts}
    timing = time_in_turn(runs, num_rounds)
    traces = [
        segment.function.experimental_get_tracing_count()
        for segment in driver.segments
    ]
    for count in counts:
        median = timing.median(count)
        yield EnduranceRecord(
            workload.name,
            setting.name,
            count,
            median,
            1e6 * median / count,
            memory[count][1:],  # The first run does not count.
            max(traces),
        )


def _repeated(
    workload: Workload, setting: Setting, count: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rows = np.arange(count) % workload.num_rows
    length = workload.inputs["token_ids"].shape[1]
    speed = np.broadcast_to(setting.speed, [workload.num_rows])[rows]
    return cut(workload.inputs, length, rows), speed


def resident_bytes() -> int:
    """Memory of this process, by `/proc/self/statm`."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
