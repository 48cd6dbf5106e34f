"""Server: rows arrive at random times; which are answered in time?"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fastbert_tf import ExitResult

from ..buckets import cut
from ..building import build_static
from ..prediction import AnyDriver
from .variants import FULL_DEPTH, Batches, Builder, static_run
from .workload import Setting, Workload

Answer = Callable[[np.ndarray], object]


@dataclasses.dataclass(frozen=True)
class ServerOptions:
    """How rows arrive.

    Args:
        loads: floats, arrivals a second as multiples of what full depth
            answers at most.
        deadline_ms: float, milliseconds from the intended arrival.
        max_batch_size: int, rows answered together at most.
        num_arrivals: int, rows of a run; they repeat the workload's.
        precision: str, of our graphs.
        drivers: of `DRIVERS`.
        seed: int, of the arrivals.
    """

    loads: tuple[float, ...] = (0.5, 1.0, 2.0)
    deadline_ms: float = 200.0
    max_batch_size: int = 32
    num_arrivals: int = 500
    precision: str = "float32"
    drivers: tuple[str, ...] = ("driver", "pooled")
    seed: int = 7


@dataclasses.dataclass(frozen=True)
class ServerRecord:
    """One variant under one load.

    Args:
        workload, precision, deadline_ms: of the run.
        variant: str, what answers.
        setting: str.
        load: float, multiple of the capacity at full depth.
        arrivals_per_second: float, intended.
        num_rows: int.
        accuracy, mean_depth, flops_speedup: as of `Setting`, by the float32
            trace.
        share_on_time: float.
        p50_ms, p90_ms, p99_ms: float, from the intended arrival on.
    """

    workload: str
    precision: str
    deadline_ms: float
    variant: str
    setting: str
    load: float
    arrivals_per_second: float
    num_rows: int
    accuracy: float | None
    mean_depth: float | None
    flops_speedup: float | None
    share_on_time: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    scenario: str = "server"


def run_server(
    workload: Workload, settings: Sequence[Setting], options: ServerOptions
) -> Iterator[ServerRecord]:
    """Plays the same arrivals to every variant, one after another.

    Each takes the rows that wait, up to `max_batch_size`, answers them, and
    takes the next; it is never idle while one waits. Time counts from the
    intended arrival, so that a server which falls behind cannot hide it.

    Args:
        workload: `Workload`.
        settings: list of `Setting`.
        options: `ServerOptions`.
    """
    capacity = full_depth_capacity(workload, options)
    variants = dict(_variants(workload, settings, options))
    for load in options.loads:
        rate = load * capacity
        rng = np.random.default_rng(options.seed)
        arrivals = np.cumsum(rng.exponential(1 / rate, options.num_arrivals))
        for (variant, name), (answer, setting) in variants.items():
            seconds = play(
                answer, arrivals, workload.num_rows, options.max_batch_size
            )
            p50, p90, p99 = np.percentile(1e3 * seconds, [50, 90, 99])
            yield ServerRecord(
                workload.name,
                options.precision,
                options.deadline_ms,
                variant,
                name,
                load,
                rate,
                options.num_arrivals,
                *(getattr(setting, x) for x in _OF_SETTING),
                float(np.mean(1e3 * seconds <= options.deadline_ms)),
                p50,
                p90,
                p99,
            )


_OF_SETTING = ("accuracy", "mean_depth", "flops_speedup")


def full_depth_capacity(workload: Workload, options: ServerOptions) -> float:
    """Rows a second of one full-depth graph in full batches of one length."""
    model = workload.model
    last = model.config.num_hidden_layers - 1
    batches = Batches.of(
        workload.inputs,
        options.max_batch_size,
        model.config.max_position_embeddings,
    )
    run = static_run(build_static(model, last, options.precision), batches)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return workload.num_rows / float(np.median(seconds[1:]))


def _variants(
    workload: Workload, settings: Sequence[Setting], options: ServerOptions
) -> Iterator[tuple[tuple[str, str], tuple[Answer, Setting]]]:
    model, inputs = workload.model, workload.inputs
    lengths = workload.trace.lengths
    last = model.config.num_hidden_layers - 1
    static = build_static(model, last, options.precision)

    def full_depth(rows: np.ndarray) -> object:
        batch = cut(inputs, int(lengths[rows].max()), rows)
        return static.run(batch)["logits"].numpy()

    yield (FULL_DEPTH, "full depth"), (full_depth, workload.cut_at(last))
    builder = Builder(model, options.precision)
    for kind in options.drivers:
        driver = builder.driver(kind, options.max_batch_size)
        for setting in settings:
            speeds = np.broadcast_to(setting.speed, [workload.num_rows])

            answer = functools.partial(_answer, driver, workload, speeds)
            yield (kind, setting.name), (answer, setting)


def _answer(
    driver: AnyDriver, workload: Workload, speeds: np.ndarray, rows: np.ndarray
) -> ExitResult:
    length = int(workload.trace.lengths[rows].max())
    return driver.predict(cut(workload.inputs, length, rows), speeds[rows])


def play(
    answer: Answer,
    arrivals: np.ndarray,
    num_rows: int,
    max_batch_size: int,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> np.ndarray:
    """Seconds from each intended arrival to its answer.

    Args:
        answer: function of row numbers.
        arrivals: float `[N]`, seconds from the start, rising.
        num_rows: int; arrival k asks for row `k % num_rows`.
        max_batch_size: int.
        clock, sleep: of seconds.
    """
    answer(np.arange(min(max_batch_size, num_rows)))  # Warm-up.
    done = np.empty(len(arrivals))
    waiting = deque(range(len(arrivals)))
    start = clock()
    while waiting:
        now = clock() - start
        if arrivals[waiting[0]] > now:
            sleep(arrivals[waiting[0]] - now)
            continue
        batch = []
        while waiting and len(batch) < max_batch_size:
            if arrivals[waiting[0]] > now:
                break
            batch.append(waiting.popleft())
        answer(np.array(batch) % num_rows)
        done[batch] = clock() - start
    return done - arrivals
