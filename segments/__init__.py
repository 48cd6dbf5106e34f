"""The run time: segments M0..M11 and the drivers that run them."""

from .backends.building import (
    Parts,
    build_segments,
    network_parts,
    segment_signature,
    with_weights,
)
from .backends.openvino_segments import (
    OpenVinoSegment,
    convert_segment,
    halve_weights,
    imported_openvino,
    openvino_parts,
)
from .backends.precision import PRECISIONS, check_precision, compute_dtype
from .buckets import bucket_lengths, cut, row_lengths
from .choosing import for_latency, for_throughput
from .costs import CostTable, measure_costs
from .driver import Driver
from .engine.pooled_engine import PooledEngine
from .planning import plan_segments
from .pooled_driver import PooledDriver
from .pooled_graph import Outputs, PooledNetwork, Pools
from .segment import Segment, segment_name
from .segment_plan import SegmentPlan
from .single_graph import SingleGraphDriver
from .text_classifier import Prediction, predict_texts

__all__ = [
    "PRECISIONS",
    "CostTable",
    "Driver",
    "OpenVinoSegment",
    "Outputs",
    "Parts",
    "PooledDriver",
    "PooledEngine",
    "PooledNetwork",
    "Pools",
    "Prediction",
    "Segment",
    "SegmentPlan",
    "SingleGraphDriver",
    "bucket_lengths",
    "build_segments",
    "check_precision",
    "compute_dtype",
    "convert_segment",
    "cut",
    "for_latency",
    "for_throughput",
    "halve_weights",
    "imported_openvino",
    "measure_costs",
    "network_parts",
    "openvino_parts",
    "plan_segments",
    "predict_texts",
    "row_lengths",
    "segment_name",
    "segment_signature",
    "with_weights",
]
