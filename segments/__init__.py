"""The run time: segments M0..M11 and the drivers that run them."""

from .backends.building import build_segments
from .buckets import bucket_lengths, cut, row_lengths
from .choosing import (
    check_purpose,
    for_latency,
    for_purpose,
    for_throughput,
)
from .classifier.text_answers import (
    NOT_FINITE,
    TextAnswer,
    TextAnswers,
    rounded,
)
from .classifier.text_classifier import TextClassifier
from .classifier.text_engine import TextEngine
from .costs import CostTable, measure_costs
from .driver import Driver
from .engine.pooled_engine import PooledEngine
from .graph_answers import Outputs
from .planning import plan_segments
from .pooled_driver import PooledDriver
from .pooled_graph import PooledNetwork, Pools
from .segment import Segment, segment_name
from .segment_plan import SegmentPlan
from .single_graph import SingleGraphDriver

__all__ = [
    "NOT_FINITE",
    "CostTable",
    "Driver",
    "Outputs",
    "PooledDriver",
    "PooledEngine",
    "PooledNetwork",
    "Pools",
    "Segment",
    "SegmentPlan",
    "SingleGraphDriver",
    "TextAnswer",
    "TextAnswers",
    "TextClassifier",
    "TextEngine",
    "bucket_lengths",
    "build_segments",
    "check_purpose",
    "cut",
    "for_latency",
    "for_purpose",
    "for_throughput",
    "measure_costs",
    "plan_segments",
    "rounded",
    "row_lengths",
    "segment_name",
]
