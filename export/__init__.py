"""The exported bundle: every segment in a folder of its own."""

from typing import Any

from .bundle.bundle import (
    Bundle,
    load_classifier,
    load_preprocessor,
    load_segments,
)
from .bundle.manifest import BundleManifest, read_bundle_manifest
from .exporting import export_folder, export_segments

__all__ = [
    "Bundle",
    "BundleManifest",
    "export_folder",
    "export_segments",
    "load_classifier",
    "load_preprocessor",
    "load_segments",
    "read_bundle_manifest",
]

_GONE = {
    "Layout": "plan=, format= and serving=",
    "Usage": "speed= and pairs=",
}


def __getattr__(name: str) -> Any:
    """Names of 0.1: what they have become, or a sentence that says it."""
    if name == "read_manifest":
        return read_bundle_manifest
    if name in _GONE:
        raise ImportError(
            f"`export.{name}` is gone. Pass {_GONE[name]} to "
            "`export_segments` instead."
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
