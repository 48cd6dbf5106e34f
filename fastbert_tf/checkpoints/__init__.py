"""Checkpoints: every supported format in, one format out.

A reader turns its files into a `Checkpoint`, in our names; what a format does
differently (orientation, layer norm, token types) ends there.
"""

from .checkpoint import Checkpoint
from .folder import TABLE
from .hub import fetch
from .manifest import MANIFEST_FILE, Manifest, read_manifest
from .reading import read_checkpoint
from .shapes import EXIT_PREFIX, variable_shapes
from .table import check_finite, expand, listed
from .writing import check_labels, check_writable, write_folder

__all__ = [
    "EXIT_PREFIX",
    "MANIFEST_FILE",
    "TABLE",
    "Checkpoint",
    "Manifest",
    "check_finite",
    "check_labels",
    "check_writable",
    "expand",
    "fetch",
    "listed",
    "read_checkpoint",
    "read_manifest",
    "variable_shapes",
    "write_folder",
]
