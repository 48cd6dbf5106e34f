"""The run time: segments M0..M11 and the driver that runs them."""

from .driver import Driver
from .segment import Segment, build_segments

__all__ = ["Driver", "Segment", "build_segments"]
