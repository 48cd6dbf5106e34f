"""Checkpoints: every supported format in, one format out.

A reader turns its files into a `Checkpoint`, in our names; what a format does
differently (orientation, layer norm, token types) ends there.
"""

from .checkpoint import Checkpoint
from .hub import fetch
from .manifest import MANIFEST_FILE, Manifest, read_manifest
from .reading import read_checkpoint
from .shapes import EXIT_PREFIX, variable_shapes
from .table import check_finite, listed
from .writing import check_labels, check_writable, stored_tensors, write_folder

__all__ = [
    "EXIT_PREFIX",
    "MANIFEST_FILE",
    "Checkpoint",
    "Manifest",
    "check_finite",
    "check_labels",
    "check_writable",
    "fetch",
    "listed",
    "read_checkpoint",
    "read_manifest",
    "stored_tensors",
    "variable_shapes",
    "write_folder",
]
