"""Weight tables `(ours, theirs, transform)`, and translation by them.

A row of the table says which variable of ours comes from which tensor of
theirs, and how; `{i}` stands for the index of a block. A file is read
completely or not at all: every row finds its tensor, every tensor has a row
or is on the reader's list of ignored ones.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import ml_dtypes
import numpy as np

from ..config import FastBertConfig
from .shapes import EXIT_PREFIX, variable_shapes

_FLOATS = (np.float32, np.float16, ml_dtypes.bfloat16)
_LISTED = 20

Transform = Callable[[np.ndarray], np.ndarray]


class Correspondence(NamedTuple):
    """One variable: our name, theirs, and what turns theirs into ours."""

    ours: str
    theirs: str
    transform: Transform


Table = tuple[Correspondence, ...]


def same(tensor: np.ndarray) -> np.ndarray:
    """The tensor as it is stored."""
    return tensor


def transposed(tensor: np.ndarray) -> np.ndarray:
    """`[out, in]`, as PyTorch stores linear weights, to `[in, out]`."""
    return tensor.T


def linear(ours: str, theirs: str) -> Table:
    """The rows of a dense layer stored as PyTorch's `Linear`."""
    return (
        Correspondence(f"{ours}/kernel", f"{theirs}.weight", transposed),
        Correspondence(f"{ours}/bias", f"{theirs}.bias", same),
    )


@dataclasses.dataclass(frozen=True)
class TensorFile:
    """An open file of named tensors.

    Args:
        path: str, for messages.
        stored_names: canonical name (as in tables) to name in the file.
        read: gives the tensor of a name in the file.
    """

    path: str
    stored_names: Mapping[str, str]
    read: Callable[[str], np.ndarray]

    @classmethod
    def of(
        cls,
        path: str,
        names: Iterable[str],
        canonical: Callable[[str], str],
        read: Callable[[str], np.ndarray],
    ) -> "TensorFile":
        """A file whose names go through `canonical` (prefixes, spellings)."""
        stored_names = {}
        for name in names:
            earlier = stored_names.setdefault(canonical(name), name)
            if earlier != name:
                raise ValueError(
                    f"Two tensors of {path} have the same meaning. Received: "
                    f"{earlier!r} and {name!r}. Keep one of them."
                )
        return cls(path, stored_names, read)


def without_prefixes(name: str, prefixes: Iterable[str]) -> str:
    """`name` without leading `prefixes`, each taken off once, in order."""
    for prefix in prefixes:
        name = name.removeprefix(prefix)
    return name


def expand(table: Table, num_blocks: int) -> list[Correspondence]:
    """The table with every `{i}` row written out, block after block."""
    once = [row for row in table if "{i}" not in row.ours]
    repeated = [row for row in table if "{i}" in row.ours]
    return once + [
        Correspondence(ours.format(i=i), theirs.format(i=i), transform)
        for i in range(num_blocks)
        for ours, theirs, transform in repeated
    ]


def translate(
    file: TensorFile,
    table: Table,
    config: FastBertConfig,
    ignored: re.Pattern[str],
) -> dict[str, np.ndarray]:
    """All tensors of `file` in our names, float32, checked.

    Raises:
        ValueError: blocks, names, a shape or a dtype do not fit `config`, or
            a tensor is not finite. The message names the file.
    """
    _check_num_blocks(file, table, config)
    rows = expand(table, config.num_hidden_layers)
    _check_names(file, [row.theirs for row in rows], ignored)
    has_exits = any(row.ours.startswith(EXIT_PREFIX) for row in rows)
    shapes = variable_shapes(config, has_exits)
    return {row.ours: _read(file, row, shapes[row.ours]) for row in rows}


def count_blocks(file: TensorFile, table: Table) -> int:
    """Blocks in `file`: one more than the largest `{i}`, 0 if none."""
    patterns = [
        re.compile(re.escape(row.theirs).replace(r"\{i\}", r"(\d{1,6})"))
        for row in table
        if "{i}" in row.theirs
    ]
    found = (p.fullmatch(name) for p in patterns for name in file.stored_names)
    return max((int(match[1]) + 1 for match in found if match), default=0)


def listed(names: Iterable[str]) -> str:
    """Names for a message, sorted, the first twenty and a count."""
    names = sorted(names)
    more = len(names) - _LISTED
    return f"{names[:_LISTED]}" + (f" and {more} more" if more > 0 else "")


def _check_num_blocks(
    file: TensorFile, table: Table, config: FastBertConfig
) -> None:
    num_blocks = count_blocks(file, table)
    if num_blocks not in (0, config.num_hidden_layers):
        raise ValueError(
            f"{file.path} holds {num_blocks} blocks. Received: "
            f"num_hidden_layers={config.num_hidden_layers}. Use the "
            "configuration that belongs to these weights."
        )


def _check_names(
    file: TensorFile, expected: list[str], ignored: re.Pattern[str]
) -> None:
    received = file.stored_names.keys()
    missing = set(expected) - received
    unused = received - set(expected)
    unused = {name for name in unused if not ignored.fullmatch(name)}
    if missing or unused:
        raise ValueError(
            f"The tensors of {file.path} are not those of its configuration. "
            f"Received, unknown: {listed(unused)}. Expected, missing: "
            f"{listed(missing)}. Check that it is a BERT checkpoint and that "
            "its configuration belongs to it."
        )


def _read(
    file: TensorFile, row: Correspondence, shape: tuple[int, ...]
) -> np.ndarray:
    stored = file.read(file.stored_names[row.theirs])
    if stored.dtype not in _FLOATS:
        raise ValueError(
            f"Tensor {row.theirs!r} of {file.path} has dtype {stored.dtype}. "
            "Expected: float32, float16 or bfloat16. Use a checkpoint that "
            "is not quantized."
        )
    tensor = row.transform(np.asarray(stored, dtype=np.float32))
    if tensor.shape != shape:
        raise ValueError(
            f"Tensor {row.theirs!r} of {file.path} has shape "
            f"{list(stored.shape)}. Expected: {list(shape)} for {row.ours!r} "
            f"(transform: {row.transform.__name__}). Use the configuration "
            "that belongs to these weights."
        )
    check_finite(tensor, row.theirs, file.path)
    return np.ascontiguousarray(tensor)


def check_finite(tensor: np.ndarray, name: str, path: str) -> None:
    """Refuses NaN and infinity: they would turn every answer into NaN."""
    finite = np.isfinite(tensor)
    if not finite.all():
        raise ValueError(
            f"Tensor {name!r} of {path} has {np.sum(~finite)} values that "
            "are NaN or infinite. Expected: finite numbers. Use a checkpoint "
            "from before the training diverged, or download it again."
        )
