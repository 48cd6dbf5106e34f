"""Scoring of corpora on Apache Beam, from a bundle.

Its names need the packages of the extra `beam`, which are imported when one
of them is first asked for.
"""

import importlib
import importlib.util
from typing import Any

__all__ = ["Summary", "score"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"{__name__} has no attribute {name!r}")
    if importlib.util.find_spec("apache_beam") is None:
        raise ImportError(
            "Scoring on Beam needs Apache Beam, which is not installed. Run "
            "`pip install 'fastbert-tf[beam]'`, or use fastbert-predict."
        )
    return getattr(importlib.import_module(".scoring", __name__), name)
