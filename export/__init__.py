"""The exported bundle: every segment in a folder of its own."""

from .bundle.layout import Layout
from .exporting import export_segments
from .loading import load_preprocessor, load_segments
from .manifest import BundleManifest, Usage, read_manifest

__all__ = [
    "BundleManifest",
    "Layout",
    "Usage",
    "export_segments",
    "load_preprocessor",
    "load_segments",
    "read_manifest",
]
