"""What a bundle consists of: formats, and the files of each."""

from __future__ import annotations

SAVED_MODEL, OPENVINO = FORMATS = ("saved_model", "openvino")
# Where TensorFlow Serving looks for requests to begin with.
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
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


def check_format(format_: str) -> None:
    """Refuses a format that is not one of `FORMATS`."""
    if format_ not in FORMATS:
        raise ValueError(
            f"`format` must be one of {list(FORMATS)}. Received: "
            f"format={format_!r}."
        )
