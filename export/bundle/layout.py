"""What a bundle consists of."""

from __future__ import annotations

import dataclasses

from fastbert_tf.segments import SegmentPlan

SAVED_MODEL, OPENVINO = FORMATS = ("saved_model", "openvino")
SAVED_MODEL_FILES = (
    "fingerprint.pb",
    "saved_model.pb",
    "variables/variables.data-00000-of-00001",
    "variables/variables.index",
)
# A segment's files, in its folder.
SEGMENT_FILES = {
    SAVED_MODEL: SAVED_MODEL_FILES,
    OPENVINO: ("openvino_model.bin", "openvino_model.xml"),
}


@dataclasses.dataclass(frozen=True)
class Layout:
    """What a bundle consists of.

    Args:
        plan: `SegmentPlan`, the exits that are asked; None for all.
        format: str, of the segments. `"saved_model"` runs wherever TensorFlow
            does. `"openvino"` runs on processors alone, faster for rows
            alone and for large models; it needs the extra `openvino` to be
            written and to be loaded.
        serving: bool, have `serving/1/` as well, a SavedModel in either
            format. It needs the extra `serving`.

    Raises:
        ValueError: `format` is another one.
    """

    plan: SegmentPlan | None = None
    format: str = SAVED_MODEL
    serving: bool = False

    def __post_init__(self) -> None:
        check_format(self.format)


def check_format(format_: str) -> None:
    """Refuses a format that is not one of `FORMATS`."""
    if format_ not in FORMATS:
        raise ValueError(
            f"`format` must be one of {list(FORMATS)}. Received: "
            f"format={format_!r}."
        )
