"""The `server` scenario: rows arrive at random times, with a deadline."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fastbert_tf import ExitResult

from ..backends.building import build_static
from ..buckets import cut
from ..choosing import AnyDriver
from ..timing import time_in_turn
from .http_model import HttpModel
from .open_loop import (
    OpenLoop,
    Submit,
    build_engine,
    to_engine,
    to_server,
)
from .options import BenchmarkOptions
from .variants import FULL_DEPTH, Batches, Builder, Kind, static_run
from .workload import Setting, Workload

Answer = Callable[[np.ndarray], object]
_SEED = 7  # Of the arrivals.
# Arrivals to the seconds that each took.
Play = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class ServerRecord:
    """One variant under one load.

    Args:
        workload, deadline_millis: of the run.
        precision: str; None for a server, which has its own.
        variant: str, what answers.
        setting: str.
        load: float, multiple of the capacity at full depth.
        arrivals_per_second: float, intended.
        num_rows: int.
        accuracy, mean_depth, flops_speedup: as of `Setting`, by the float32
            trace; None for a server, whose exits are its bundle's.
        share_on_time: float.
        p50_ms, p90_ms, p99_ms: float, from the intended arrival on, of the
            rows that were answered; None for none.
        share_unanswered: float, refused or given up; drivers do neither.
        drained_seconds: float, from the last arrival to the last answer.
    """

    workload: str
    precision: str | None
    deadline_millis: float
    variant: str
    setting: str
    load: float
    arrivals_per_second: float
    num_rows: int
    accuracy: float | None
    mean_depth: float | None
    flops_speedup: float | None
    share_on_time: float
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    share_unanswered: float
    drained_seconds: float | None
    scenario: str = "server"


def run_server(
    workload: Workload, settings: Sequence[Setting], options: BenchmarkOptions
) -> Iterator[ServerRecord]:
    """Plays the same arrivals to every variant, one after another.

    Each takes the rows that wait, up to the batch size, answers them, and
    takes the next; it is never idle while one waits. Time counts from the
    intended arrival, so that a server which falls behind cannot hide it.

    Args:
        workload: `Workload`.
        settings: list of `Setting`.
        options: `BenchmarkOptions` of one precision and batch size.
    """
    capacity = full_depth_capacity(workload, options)
    with contextlib.ExitStack() as stack:
        variants = dict(_variants(workload, settings, options))
        variants |= _engines(workload, settings, options, stack)
        variants |= _servers(workload, settings, options, stack)
        for load in options.loads:
            rate = load * capacity
            rng = np.random.default_rng(_SEED)
            gaps = rng.exponential(1 / rate, options.num_arrivals)
            for (variant, name), (run, setting) in variants.items():
                arrivals = np.cumsum(gaps)
                seconds = run(arrivals)
                yield ServerRecord(
                    workload.name,
                    None if setting is None else options.precision,
                    options.deadline_millis,
                    variant,
                    name,
                    load,
                    rate,
                    options.num_arrivals,
                    *(getattr(setting, x, None) for x in _OF_SETTING),
                    *_summary(arrivals, seconds, options.deadline_millis),
                )


def _summary(
    arrivals: np.ndarray, seconds: np.ndarray, deadline_millis: float
) -> tuple[float | None, ...]:
    """The fields of `ServerRecord` from `share_on_time` on."""
    on_time = float(np.mean(1e3 * seconds <= deadline_millis))
    is_answered = np.isfinite(seconds)
    unanswered = float(np.mean(~is_answered))
    if not is_answered.any():
        return on_time, None, None, None, unanswered, None
    answered = seconds[is_answered]
    percentiles = np.percentile(1e3 * answered, [50, 90, 99]).tolist()
    end = np.max(arrivals[is_answered] + answered)
    drained = max(0.0, float(end - arrivals[-1]))
    return on_time, *percentiles, unanswered, drained


_OF_SETTING = ("accuracy", "mean_depth", "flops_speedup")


def full_depth_capacity(workload: Workload, options: BenchmarkOptions) -> float:
    """Rows a second of one full-depth graph in full batches of one length."""
    model = workload.model
    last = model.config.num_hidden_layers - 1
    batches = Batches.of(
        workload.inputs,
        options.batch_size,
        model.config.max_position_embeddings,
    )
    run = static_run(build_static(model, last, options.precision), batches)
    timing = time_in_turn({FULL_DEPTH.name: run}, num_rounds=3)
    return workload.num_rows / timing.median(FULL_DEPTH.name)


def _variants(
    workload: Workload, settings: Sequence[Setting], options: BenchmarkOptions
) -> Iterator[tuple[tuple[str, str], tuple[Play, Setting]]]:
    model, inputs = workload.model, workload.inputs
    lengths = workload.trace.lengths
    last = model.config.num_hidden_layers - 1
    static = build_static(model, last, options.precision)

    def full_depth(rows: np.ndarray) -> object:
        batch = cut(inputs, int(lengths[rows].max()), rows)
        return static.run(batch)["logits"].numpy()

    def played(answer: Answer) -> Play:
        size = options.batch_size
        return lambda arrivals: play(answer, arrivals, workload.num_rows, size)

    yield (
        (FULL_DEPTH.name, "full depth"),
        (played(full_depth), workload.cut_at(last)),
    )
    builder = Builder(model, options.precision)
    for variant in options.drivers:
        if variant.kind is Kind.ENGINE:
            continue
        driver = builder.driver(variant, options.batch_size)
        for setting in settings:
            speeds = np.broadcast_to(setting.speed, [workload.num_rows])
            answer = functools.partial(_answer, driver, workload, speeds)
            yield (variant.name, setting.name), (played(answer), setting)


def _engines(
    workload: Workload,
    settings: Sequence[Setting],
    options: BenchmarkOptions,
    stack: contextlib.ExitStack,
) -> Iterator[tuple[tuple[str, str], tuple[Play, Setting]]]:
    """Warm engines, which `stack` stops."""
    builder = Builder(workload.model, options.precision)
    depth = workload.model.config.num_hidden_layers
    for variant in options.drivers:
        if variant.kind is not Kind.ENGINE:
            continue
        mine = settings
        if variant.at_full_depth:
            mine = [workload.cut_at(depth - 1)]
        for setting in mine:
            engine = build_engine(variant, builder, depth, options.batch_size)
            stack.enter_context(engine)
            engine.warm_up(int(workload.trace.lengths.max()))
            submit = to_engine(engine, workload, setting)
            run = _open_loop(submit, workload, options)
            yield (variant.name, setting.name), (run, setting)


def _servers(
    workload: Workload,
    settings: Sequence[Setting],
    options: BenchmarkOptions,
    stack: contextlib.ExitStack,
) -> Iterator[tuple[tuple[str, str], tuple[Play, None]]]:
    """Servers that run, by the names of their models."""
    for url in options.urls:
        model = stack.enter_context(HttpModel(url, workload.instances))
        model.ask(0, 1.0)  # Now, if it is not there.
        for setting in settings:
            submit = to_server(model, workload, setting)
            run = _open_loop(submit, workload, options)
            yield (f"server {model.name}", setting.name), (run, None)


def _open_loop(
    submit: Submit, workload: Workload, options: BenchmarkOptions
) -> Play:
    seconds = options.deadline_millis / 1e3
    return OpenLoop(submit, workload.num_rows, seconds).play


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
