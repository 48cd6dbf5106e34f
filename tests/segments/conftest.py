from typing import Any

import pytest

from fastbert_tf import FastBertClassifier
from fastbert_tf.segments import Driver, PooledDriver, SingleGraphDriver


@pytest.fixture(scope="session")
def several(
    models: list[FastBertClassifier], drivers: list[Driver]
) -> dict[str, Any]:
    """A driver of each kind, all of the model of four blocks."""
    segments = drivers[0].segments
    return {
        "driver": drivers[0],
        "pools of 4": PooledDriver(segments, 4),
        "pools of 1": PooledDriver(segments, 1),
        "pools of 99": PooledDriver(segments, 99),
        "single graph": SingleGraphDriver(models[0]),
    }
