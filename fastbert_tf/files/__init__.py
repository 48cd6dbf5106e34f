"""Files read with checks, and written whole or not at all."""

from .atomic_file import check_output_file, replaced_file
from .atomic_folder import check_replaceable, replaced_folder
from .checked_read import file_sha256, read_json, require_file
from .checksummed_json import read_checksummed, to_text

__all__ = [
    "check_output_file",
    "check_replaceable",
    "file_sha256",
    "read_checksummed",
    "read_json",
    "replaced_file",
    "replaced_folder",
    "require_file",
    "to_text",
]
