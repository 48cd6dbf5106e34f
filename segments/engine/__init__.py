"""The online engine: requests, admission, deadlines and one worker."""

from .pooled_engine import (
    DeadlineExceeded,
    EngineObserver,
    Overloaded,
    PooledEngine,
    SegmentFailed,
)
from .requests import EngineAnswer, EngineStopped

__all__ = [
    "DeadlineExceeded",
    "EngineAnswer",
    "EngineObserver",
    "EngineStopped",
    "Overloaded",
    "PooledEngine",
    "SegmentFailed",
]
