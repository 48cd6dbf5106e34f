"""Checkpoints: every supported format in, one format out.

A reader turns its files into a `Checkpoint`, in our names; what a format does
differently (orientation, layer norm, token types) ends there.
"""

from .checkpoint import Checkpoint
from .hub import fetch
from .manifest import MANIFEST_FILE, Manifest, read_manifest
from .reading import read_checkpoint
from .writing import check_writable, write_folder

__all__ = [
    "MANIFEST_FILE",
    "Checkpoint",
    "Manifest",
    "check_writable",
    "fetch",
    "read_checkpoint",
    "read_manifest",
    "write_folder",
]
