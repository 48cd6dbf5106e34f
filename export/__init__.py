"""The exported bundle: every segment in a folder of its own."""

from .bundle.bundle import (
    Bundle,
    load_classifier,
    load_preprocessor,
    load_segments,
)
from .bundle.manifest import BundleManifest, read_manifest
from .exporting import export_folder, export_segments

__all__ = [
    "Bundle",
    "BundleManifest",
    "export_folder",
    "export_segments",
    "load_classifier",
    "load_preprocessor",
    "load_segments",
    "read_manifest",
]
