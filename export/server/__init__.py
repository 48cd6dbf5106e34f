"""The HTTP server: a bundle behind two protocols, with a page to try it.

`serve` needs the packages of the extra `serve`; they are imported when it is
first asked for.
"""

import importlib
import importlib.util
from typing import Any

from .limits import Limits

__all__ = ["Limits", "serve"]

_PACKAGES = ("starlette", "uvicorn", "h11", "prometheus_client")


def __getattr__(name: str) -> Any:
    if name != "serve":
        raise AttributeError(f"{__name__} has no attribute {name!r}")
    missing = [x for x in _PACKAGES if importlib.util.find_spec(x) is None]
    if missing:
        raise ImportError(
            f"Serving needs packages that are not installed: {missing}. Run "
            "`pip install 'fastbert-tf[serve]'`, or use fastbert-predict."
        )
    return importlib.import_module(".lifecycle", __name__).serve
