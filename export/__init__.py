"""The exported bundle: one SavedModel a segment."""

from .exporting import export_segments
from .loading import load_preprocessor, load_segments
from .manifest import BundleManifest, Usage, read_manifest

__all__ = [
    "BundleManifest",
    "Usage",
    "export_segments",
    "load_preprocessor",
    "load_segments",
    "read_manifest",
]
