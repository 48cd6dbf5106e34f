"""The run time: segments M0..M11 and the drivers that run them."""

from .building import build_segments
from .choosing import for_latency, for_throughput
from .costs import CostTable, measure_costs
from .driver import Driver
from .engine.pooled_engine import PooledEngine
from .planning import plan_segments
from .pooled_driver import PooledDriver
from .segment import Segment
from .segment_plan import SegmentPlan
from .single_graph import SingleGraphDriver

__all__ = [
    "CostTable",
    "Driver",
    "PooledDriver",
    "PooledEngine",
    "Segment",
    "SegmentPlan",
    "SingleGraphDriver",
    "build_segments",
    "for_latency",
    "for_throughput",
    "measure_costs",
    "plan_segments",
]
