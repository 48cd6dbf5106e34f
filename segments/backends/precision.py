"""Precision of segments: float32 and bfloat16, by the processor."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

PRECISIONS = ("float32", "bfloat16")
# By their names in `/proc/cpuinfo`: x86's two, and Arm's.
_BFLOAT16_INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}


def check_precision(precision: str) -> str:
    """`precision` itself, if it is one of the two."""
    if precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {list(PRECISIONS)}. Received: "
            f"precision={precision!r}."
        )
    return precision


def compute_dtype(precision: str) -> str:
    """What segments of a precision compute in on this machine.

    A processor without bfloat16 instructions takes longer for bfloat16 than
    for float32. There, segments of `"bfloat16"` hold and hand on values
    rounded to it, and compute in float32; OpenVINO does alike.
    """
    if precision == "bfloat16" and not has_bfloat16():
        return "float32"
    return precision


def has_bfloat16() -> bool:
    """Whether there is a GPU, or a processor with bfloat16 instructions."""
    if tf.config.list_physical_devices("GPU"):
        return True
    return bool(_BFLOAT16_INSTRUCTIONS & processor_instructions())


def processor_instructions(path: str = "/proc/cpuinfo") -> set[str]:
    """The instruction sets of the first processor; none if it is not known."""
    if not Path(path).exists():
        return set()
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return set(value.split())
    return set()


def in_precision(
    layer: keras.layers.Layer, precision: str, dtype: str | None = None
) -> keras.layers.Layer:
    """`layer`, or a copy with weights and computation in `precision`.

    The copy is made by the layer's own configuration, so that the mathematics
    stays in one place. Weights are rounded to `precision` whatever they are
    computed with. Uncertainty, softmax and logits are float32 in either.

    Args:
        layer: `keras.layers.Layer`.
        precision: str, of the weights.
        dtype: str, computed in; `compute_dtype(precision)` if left out.
    """
    dtype = dtype or compute_dtype(precision)
    if layer.dtype_policy.name == precision == dtype:
        return layer
    policy = {"module": "keras", "class_name": "DTypePolicy"}
    policy |= {"config": {"name": dtype}, "registered_name": None}
    copy = type(layer).from_config({**layer.get_config(), "dtype": policy})
    copy.build()
    for mine, weight in zip(copy.weights, layer.weights, strict=True):
        mine.assign(keras.ops.cast(keras.ops.cast(weight, precision), dtype))
    return copy
