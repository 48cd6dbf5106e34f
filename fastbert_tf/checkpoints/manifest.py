"""`fastbert.json`: what a FastBERT folder holds, and how to tell damage."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from typing import Any

from ..files.checked_read import file_sha256, require_file
from ..files.checksummed_json import read_checksummed, to_text

MANIFEST_FILE = "fastbert.json"
FORMAT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The contents of a `fastbert.json`.

    Args:
        num_classes: int.
        classifier: `hidden_size`, `num_heads` and `pooling` of the exits.
        labels: class names in the order of the logits, or None.
        preprocessing: configuration of the `TextPreprocessor`, or None.
        origin: where the weights came from.
        training: how they were trained, as the trainer wrote it, or None.
        versions: of the libraries that wrote the folder.
        sha256: file name to SHA-256, of every other file.
    """

    num_classes: int
    classifier: dict[str, Any]
    labels: list[str] | None
    preprocessing: dict[str, Any] | None
    origin: dict[str, Any]
    training: dict[str, Any] | None
    versions: dict[str, str]
    sha256: dict[str, str]

    @property
    def pairs(self) -> bool | None:
        """Whether it was trained on pairs of texts; None if not recorded."""
        return (self.training or {}).get("pairs")

    def to_text(self) -> str:
        """The file: one text for one content, checksum included."""
        return to_text(dataclasses.asdict(self), FORMAT_VERSION)

    def check_files(
        self, folder: str, names: Collection[str] | None = None
    ) -> None:
        """Refuses a file that is missing, empty or changed, by name.

        Args:
            folder: where the files are.
            names: those to look at, as far as the manifest has them; None
                means all.
        """
        for name, expected in sorted(self.sha256.items()):
            if names is not None and name not in names:
                continue
            path = os.path.join(folder, name)
            require_file(path)
            received = file_sha256(path)
            if received != expected:
                raise ValueError(
                    f"{path} is damaged. Received: SHA-256 {received}. "
                    f"Expected: {expected}. Restore the file or the folder."
                )


def read_manifest(folder: str) -> Manifest:
    """The manifest of a FastBERT folder; its files are not yet looked at.

    Raises:
        ValueError: another format version, or the manifest is damaged.
    """
    path = os.path.join(folder, MANIFEST_FILE)
    names = [field.name for field in dataclasses.fields(Manifest)]
    _, fields = read_checksummed(path, {FORMAT_VERSION: names})
    return Manifest(**fields)
