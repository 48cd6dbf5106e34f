"""`BenchmarkOptions`: the flags of `fastbert-benchmark`, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from fastbert_tf import FastBertConfig, check_speed

from .variants import FULL_DEPTH, KERAS, Kind, Variant

_OF_A_MODEL = ("random_weights", "planned", "speeds", "test_path", "urls")


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions:
    """What is measured: the flags of `fastbert-benchmark`, parsed.

    Args:
        config: `FastBertConfig` of random weights.
        model_dir, test_path: of a trained model and labelled rows; without
            them rows of random ids, 64 tokens long.
        random_weights: bool. With `model_dir`, rows of its lengths and exits
            in a network of random weights.
        num_rounds: int, runs of each variant whose median counts.
        drivers: tuple of `Variant`, of `DRIVERS` and, for `server`, of
            `ENGINES`.
        speeds, mean_depths: tuples of float, what the rows are run at.
        static_blocks: tuple of int, networks cut after so many blocks.
        shapes: pairs of rows and length, for `full_depth`.
        lengths: tuple of int, positions, for `cost_table`.
        official_threads: tuple of int; the released algorithm on PyTorch, run
            with so many threads.
        loads: tuple of float, arrivals a second as multiples of what full
            depth answers at most, for `server`.
        deadline_millis: float, from the intended arrival; LoadGen's bound.
        num_arrivals: int, rows of a run of `server`; they repeat the
            workload's.
        loadgen_millis: int, of each run of LoadGen; MLPerf asks for 600,000.
        peers: tuple of str, of `PEERS`, other runtimes at full depth.
        urls: tuple of str, models of servers that run.
        keras: bool, also `keras.Model.predict`, in `offline`.
        planned: bool, also drivers that ask the exits worth asking only.
    """

    config: FastBertConfig
    model_dir: str | None = None
    test_path: str | None = None
    random_weights: bool = False
    num_rows: int = 512
    num_rounds: int = 5
    drivers: tuple[Variant, ...] = (
        Variant(Kind.DRIVER),
        Variant(Kind.POOLED),
    )
    precisions: tuple[str, ...] = ("float32",)
    batch_sizes: tuple[int, ...] = (32,)
    speeds: tuple[float, ...] = ()
    mean_depths: tuple[float, ...] = ()
    static_blocks: tuple[int, ...] = ()
    shapes: tuple[tuple[int, int], ...] = ((32, 128),)
    lengths: tuple[int, ...] = (32, 64)
    official_threads: tuple[int, ...] = ()
    loads: tuple[float, ...] = (0.5, 1.0, 2.0)
    deadline_millis: float = 200.0
    num_arrivals: int = 500
    loadgen_millis: int = 10_000
    peers: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    keras: bool = False
    planned: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_sizes", "lengths", "static_blocks"):
            if min(getattr(self, name), default=1) < 1:
                self._refuse(name, "1 or more")
        for name in ("batch_sizes", "precisions"):
            if not getattr(self, name):
                self._refuse(name, "at least one")
        check_speed(self.speeds, len(self.speeds))
        self._check_model()

    def _check_model(self) -> None:
        if self.model_dir is None:
            for name in _OF_A_MODEL:
                if getattr(self, name):
                    self._refuse(name, "used with --model_dir alone")
        elif self.test_path is None:
            self._refuse("test_path", "labelled rows, with --model_dir")
        if self.random_weights and self.planned:
            self._refuse("planned", "used without --random_weights")
        if self.planned and any(x.on_openvino for x in self.drivers):
            self._refuse("planned", "used without drivers on openvino")
        self._check_urls()

    def _check_urls(self) -> None:
        """Servers have a precision and a batch size of their own."""
        if self.random_weights and self.urls:
            self._refuse("urls", "used without --random_weights")
        names = [url.rpartition("/")[2] for url in self.urls]
        if len(set(names)) < len(names):
            self._refuse("urls", "of models with different names")
        for name in ("precisions", "batch_sizes"):
            if self.urls and len(getattr(self, name)) > 1:
                self._refuse(name, "one alone, with --urls")

    def check_sizes(self, config: FastBertConfig) -> None:
        """Refuses what a model of these sizes cannot do."""
        depth, longest = (
            config.num_hidden_layers,
            config.max_position_embeddings,
        )
        if any(not 1 <= x <= depth for x in self.mean_depths):
            self._refuse("mean_depths", f"1 to {depth} blocks")
        if max(self.static_blocks, default=0) > depth:
            self._refuse("static_blocks", f"1 to {depth} blocks")
        if max(self.lengths, default=0) > longest:
            self._refuse("lengths", f"up to {longest} tokens")
        if max((length for _, length in self.shapes), default=0) > longest:
            self._refuse("shapes", f"up to {longest} tokens long")

    def _refuse(self, name: str, expected: str) -> None:
        raise ValueError(
            f"--{name} must be {expected}. Received: "
            f"{name}={getattr(self, name)!r}. See --help."
        )

    def each_precision(self) -> Iterator[BenchmarkOptions]:
        """The same with one precision each."""
        for precision in self.precisions:
            yield dataclasses.replace(self, precisions=(precision,))

    def each_size(self) -> Iterator[BenchmarkOptions]:
        """The same with one precision and one batch size each."""
        for options in self.each_precision():
            for size in self.batch_sizes:
                yield dataclasses.replace(options, batch_sizes=(size,))

    @property
    def precision(self) -> str:
        """Of our graphs, where there is one alone."""
        (precision,) = self.precisions
        return precision

    @property
    def batch_size(self) -> int:
        """Rows that run together, where there is one number alone."""
        (size,) = self.batch_sizes
        return size

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The drivers, and with `planned` also each with fewer exits."""
        planned = (
            dataclasses.replace(x, is_planned=True)
            for x in self.drivers
            if self.planned
        )
        return (*self.drivers, *planned)

    @property
    def baselines(self) -> tuple[Variant, ...]:
        """The same weights without early exit; full depth is always there."""
        static = (Variant(Kind.STATIC, blocks=n) for n in self.static_blocks)
        return (FULL_DEPTH, *static, *((KERAS,) if self.keras else ()))
