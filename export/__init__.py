"""The exported bundle: every segment in a folder of its own."""

from .bundle.layout import Layout
from .bundle.loading import load_preprocessor, load_segments
from .bundle.manifest import BundleManifest, Usage, read_manifest
from .exporting import export_segments

__all__ = [
    "BundleManifest",
    "Layout",
    "Usage",
    "export_segments",
    "load_preprocessor",
    "load_segments",
    "read_manifest",
]
