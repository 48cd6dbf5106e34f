"""What `fastbert-benchmark` was asked for."""

from __future__ import annotations

import dataclasses

from fastbert_tf import FastBertConfig, check_speed

_OF_A_MODEL = ("random_weights", "planned", "speeds", "test_path", "urls")


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions:
    """What `fastbert-benchmark` was asked for; its flags, parsed.

    Args:
        config: `FastBertConfig` of random weights.
        model_dir, test_path: of a trained model and labelled rows; without
            them rows of random ids, 64 tokens long.
        random_weights: bool. With `model_dir`, rows of its lengths and exits
            in a network of random weights.
        shapes: pairs of rows and length.
        others: as the flags say.
    """

    config: FastBertConfig
    model_dir: str | None = None
    test_path: str | None = None
    random_weights: bool = False
    num_rows: int = 512
    num_rounds: int = 5
    drivers: tuple[str, ...] = ("driver", "pooled")
    precisions: tuple[str, ...] = ("float32",)
    batch_sizes: tuple[int, ...] = (32,)
    speeds: tuple[float, ...] = ()
    mean_depths: tuple[float, ...] = ()
    static_blocks: tuple[int, ...] = ()
    shapes: tuple[tuple[int, int], ...] = ((32, 128),)
    lengths: tuple[int, ...] = (32, 64)
    official_threads: tuple[int, ...] = ()
    loads: tuple[float, ...] = (0.5, 1.0, 2.0)
    deadline_ms: float = 200.0
    num_arrivals: int = 500
    loadgen_ms: int = 10_000
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
        if self.planned and any("openvino" in x for x in self.drivers):
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

    @property
    def variants(self) -> tuple[str, ...]:
        """The drivers, and with `planned` also each with fewer exits."""
        planned = (f"{x}, planned" for x in self.drivers if self.planned)
        return (*self.drivers, *planned)
