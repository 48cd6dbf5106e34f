"""The online engine: requests, admission, deadlines and one worker."""

from .observer import EngineObserver
from .pooled_engine import PooledEngine
from .requests import (
    DeadlineExceeded,
    EngineAnswer,
    EngineStopped,
    Overloaded,
    SegmentFailed,
)

__all__ = [
    "DeadlineExceeded",
    "EngineAnswer",
    "EngineObserver",
    "EngineStopped",
    "Overloaded",
    "PooledEngine",
    "SegmentFailed",
]
