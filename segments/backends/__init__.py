"""What computes a segment: TensorFlow's graphs, OpenVINO's networks."""

from .building import (
    Parts,
    build_segments,
    network_parts,
    segment_signature,
    with_weights,
)
from .openvino_segments import (
    OpenVinoSegment,
    convert_segment,
    halve_weights,
    imported_openvino,
    openvino_parts,
)
from .precision import PRECISIONS, check_precision, compute_dtype

__all__ = [
    "PRECISIONS",
    "OpenVinoSegment",
    "Parts",
    "build_segments",
    "check_precision",
    "compute_dtype",
    "convert_segment",
    "halve_weights",
    "imported_openvino",
    "network_parts",
    "openvino_parts",
    "segment_signature",
    "with_weights",
]
