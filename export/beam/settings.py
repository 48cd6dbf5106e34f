"""What is to be scored, with which bundle, and where the answers go."""

from __future__ import annotations

import dataclasses
import math
import os

from fastbert_tf import check_speed

OUTPUT_FORMATS = ("jsonl", "parquet")
SUMMARY_FILE = "scores.json"
# Of the counters that a run keeps.
NAMESPACE = "fastbert"
# Share of a call's time that batches which are not full may add.
MAX_OVERHEAD = 0.05


@dataclasses.dataclass(frozen=True)
class Scoring:
    """One run over a corpus.

    Paths are of this machine, and of every worker's, or have a scheme
    (`gs://...`) that Beam knows.

    Args:
        bundle_dir: folder of a bundle, at the same place on every worker; no
            scheme.
        input_path: a file or a pattern of files: TSV, CSV, JSONL or Parquet,
            as the extension says.
        output_path: folder to write.
        output_format: "jsonl" or "parquet".
        speed: float in [0, 1]; None means what the bundle says.
        batch_size: int, rows that run together.
        num_shards: int, files to write; 0 leaves it to the runner.
        max_bad_rows: int, malformed rows to set aside in each input file.
        beam_options: flags of Beam and of its runner.

    Raises:
        TypeError, ValueError: a value is not as above.
    """

    bundle_dir: str
    input_path: str
    output_path: str
    output_format: str = OUTPUT_FORMATS[0]
    speed: float | None = None
    batch_size: int = 32
    num_shards: int = 0
    max_bad_rows: int = 0
    beam_options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.speed is not None:
            check_speed(self.speed, num_rows=1)
        if self.output_format not in OUTPUT_FORMATS:
            raise ValueError(
                f"`output_format` must be one of {OUTPUT_FORMATS}. Received: "
                f"{self.output_format!r}. Pass one of them."
            )
        if is_remote(self.bundle_dir):
            raise ValueError(
                "`bundle_dir` must be a folder. Received: "
                f"{self.bundle_dir}. Put the bundle into the workers' image, "
                "or mount it at the same place everywhere."
            )
        for name, lowest in _LOWEST.items():
            if getattr(self, name) < lowest:
                raise ValueError(
                    f"`{name}` must be {lowest} or more. Received: "
                    f"{name}={getattr(self, name)}. Pass a larger one."
                )
        for name in ("bundle_dir", "input_path", "output_path"):
            object.__setattr__(self, name, _absolute(getattr(self, name)))


_LOWEST = {"batch_size": 1, "num_shards": 0, "max_bad_rows": 0}


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run did, as `scores.json` keeps it beside the answers.

    Args:
        num_rows: int, rows answered.
        num_bad_rows: int, rows set aside.
        mean_depth: float, blocks a row went through; 0 for no rows.
        speed: float, the threshold it ran with.
    """

    num_rows: int
    num_bad_rows: int
    mean_depth: float
    speed: float


def rows_per_call(num_exits: int, batch_size: int) -> int:
    """The fewest rows of one length that keep a pool's overhead small.

    Of N rows at most one batch a segment is not full, so that
    `num_exits * batch_size / (N * mean depth)` bounds what those add over
    full batches alone. N is such that this is `MAX_OVERHEAD` at a mean depth
    of 1, the least there is.

    Args:
        num_exits: int, L.
        batch_size: int, rows that run together.
    """
    return math.ceil(num_exits * batch_size / MAX_OVERHEAD)


def is_remote(path: str) -> bool:
    """Whether a path is of a file system that Beam opens, such as `gs://`."""
    return "://" in path


def _absolute(path: str) -> str:
    return path if is_remote(path) else os.path.abspath(path)
