"""`manifest.json`: what a bundle holds, and how to tell damage."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Mapping
from typing import Any

from fastbert_tf import FastBertConfig, check_speed
from fastbert_tf.checkpoints import check_labels
from fastbert_tf.files import (
    file_sha256,
    read_checksummed,
    require_file,
    to_text,
)
from fastbert_tf.segments import SegmentPlan, segment_name
from fastbert_tf.segments.backends import check_precision, segment_signature
from fastbert_tf.text import FILE_NAME as TABLE_FILE
from fastbert_tf.text import VOCABULARY_FILE, check_settings

from .layout import (
    OPENVINO,
    SAVED_MODEL,
    SAVED_MODEL_FILES,
    SEGMENT_FILES,
    WARMUP_FILE,
    check_format,
)
from .serving_signatures import SERVING, serving_signatures

MANIFEST_FILE = "manifest.json"
# Older releases read bundles of SavedModels alone.
_VERSIONS = {SAVED_MODEL: 1, OPENVINO: 2}
_FORMATS = {version: format_ for format_, version in _VERSIONS.items()}
KIND = "fastbert-tf bundle"
PREPROCESSOR = "preprocessor"
TEXT_FILES = (VOCABULARY_FILE, TABLE_FILE)


@dataclasses.dataclass(frozen=True)
class Usage:
    """How a bundle is meant to be asked.

    Args:
        speed: float in [0, 1], for callers who name none.
        pairs: bool, whether it was trained on pairs of texts; None if that
            is not known.

    Raises:
        TypeError, ValueError: a value is not as above.
    """

    speed: float = 0.5
    pairs: bool | None = None

    def __post_init__(self) -> None:
        check_speed(self.speed, num_rows=1)
        object.__setattr__(self, "speed", float(self.speed))
        if not isinstance(self.pairs, bool | None):
            raise ValueError(
                "`pairs` must be True, False or None. Received: "
                f"pairs={self.pairs!r}. Pass what the model was trained on."
            )


@dataclasses.dataclass(frozen=True)
class BundleManifest:
    """The contents of a `manifest.json`.

    The file also holds `signatures`: names, types and shapes of what every
    segment takes and gives. They follow from the fields here.

    Args:
        config: `FastBertConfig` of the whole network.
        precision: str, of weights and hidden states.
        plan: `SegmentPlan`, where the network is cut.
        labels: class names in the order of the logits, or None.
        preprocessing: configuration of the `TextPreprocessor`.
        usage: `Usage`.
        versions: of the libraries that wrote the bundle.
        files: path inside the bundle to its `bytes` and `sha256`, of every
            other file.
        format: str, of the segments: `"saved_model"` or `"openvino"`.

    Raises:
        TypeError, ValueError: a field is not as above, or the files are not
            those of such a bundle.
    """

    config: FastBertConfig
    precision: str
    plan: SegmentPlan
    labels: tuple[str, ...] | None
    preprocessing: Mapping[str, Any]
    usage: Usage
    versions: Mapping[str, str]
    files: Mapping[str, Mapping[str, Any]]
    format: str = SAVED_MODEL

    def __post_init__(self) -> None:
        check_precision(self.precision)
        check_format(self.format)
        check_labels(self.labels, self.config.num_classes)
        check_settings(**self.preprocessing)
        num_blocks = self.config.num_hidden_layers
        if self.plan.num_blocks != num_blocks:
            raise ValueError(
                f"`plan` must be of {num_blocks} blocks, as the model is. "
                f"Received: {self.plan}. Export the model again."
            )
        self._check_names()

    @property
    def segment_names(self) -> list[str]:
        """Folders of the segments, in order: `M0`, `M1` or `M1-M3`."""
        return [segment_name(*span) for span in self.plan.spans]

    @property
    def has_serving(self) -> bool:
        """Whether there is a SavedModel for TensorFlow Serving."""
        return f"{SERVING}/{WARMUP_FILE}" in self.files

    @property
    def saved_models(self) -> list[str]:
        """Folders of all SavedModels."""
        serving = [SERVING] if self.has_serving else []
        is_saved = self.format == SAVED_MODEL
        segments = self.segment_names if is_saved else []
        return [*segments, PREPROCESSOR, *serving]

    @property
    def signatures(self) -> dict[str, Any]:
        """What every segment takes and gives: name to dtype and shape.

        Under `serving/1`, the same of each of its signatures.
        """
        width = self.config.hidden_size
        states = "float32" if self.format == OPENVINO else self.precision
        outputs = {
            "hidden_states": _spec(states, [None, None, width]),
            "logits": _spec("float32", [None, self.config.num_classes]),
            "uncertainty": _spec("float32", [None]),
        }
        signatures = {}
        for i, name in enumerate(self.segment_names):
            specs = segment_signature(i == 0, width, states)
            inputs = {
                x.name: _spec(x.dtype.name, x.shape.as_list()) for x in specs
            }
            signatures[name] = {"inputs": inputs, "outputs": outputs}
        if self.has_serving:
            signatures[SERVING] = serving_signatures(
                self.config.num_classes, self.usage.pairs
            )
        return signatures

    def to_text(self) -> str:
        """The file: one text for one content, checksum included."""
        return to_text(self._fields(), _VERSIONS[self.format])

    def check_files(
        self, folder: str, names: Collection[str] | None = None
    ) -> None:
        """Refuses a file that is missing, changed or not listed, by name.

        Args:
            folder: the bundle.
            names: those to look at; None means all, and no others.
        """
        if names is None:
            _check_nothing_else(folder, {*self.files, MANIFEST_FILE})
        for name in sorted(self.files if names is None else names):
            path = os.path.join(folder, name)
            require_file(path)
            received = describe_file(path)
            if received != self.files[name]:
                raise ValueError(
                    f"{path} is damaged. Received: {received}. Expected: "
                    f"{self.files[name]}. Restore the file or the bundle."
                )

    def _fields(self) -> dict[str, Any]:
        return {
            "kind": KIND,
            "config": self.config.to_dict(),
            "precision": self.precision,
            "exits": list(self.plan.exits),
            "labels": None if self.labels is None else list(self.labels),
            "preprocessing": dict(self.preprocessing),
            "usage": dataclasses.asdict(self.usage),
            "versions": dict(self.versions),
            "signatures": self.signatures,
            "files": {name: dict(x) for name, x in self.files.items()},
        }

    def _check_names(self) -> None:
        expected = {
            f"{x}/{y}" for x in self.saved_models for y in SAVED_MODEL_FILES
        }
        expected |= {
            f"{x}/{y}"
            for x in self.segment_names
            for y in SEGMENT_FILES[self.format]
        }
        expected |= set(TEXT_FILES)
        if self.has_serving:
            expected.add(f"{SERVING}/{WARMUP_FILE}")
        if set(self.files) != expected:
            raise ValueError(
                f"`files` must be those of {len(self.segment_names)} segments "
                "and a preprocessor. Received or expected differently: "
                f"{sorted(set(self.files) ^ expected)}. Export the model "
                "again."
            )


_NAMES = (
    "kind",
    "config",
    "precision",
    "exits",
    "labels",
    "preprocessing",
    "usage",
    "versions",
    "signatures",
    "files",
)


def read_bundle_manifest(folder: str | os.PathLike[str]) -> BundleManifest:
    """The manifest of a bundle; its files are not yet looked at.

    Raises:
        FileNotFoundError: there is none.
        ValueError: another format version, or the manifest is damaged.
    """
    path = os.path.join(folder, MANIFEST_FILE)
    names = dict.fromkeys(_FORMATS, _NAMES)
    version, fields = read_checksummed(path, names)
    try:
        manifest = _manifest(fields, _FORMATS[version])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} does not describe a bundle: {error}. Expected the file "
            "as `export_segments` wrote it. Export the model again."
        ) from error
    if manifest._fields() != fields:
        raise ValueError(
            f"{path} contradicts itself. Expected the file as "
            "`export_segments` wrote it. Export the model again."
        )
    return manifest


def describe_file(path: str) -> dict[str, Any]:
    """What the manifest keeps of a file."""
    return {"bytes": os.path.getsize(path), "sha256": file_sha256(path)}


def _manifest(fields: Mapping[str, Any], format_: str) -> BundleManifest:
    config = FastBertConfig.from_dict(fields["config"])
    labels = fields["labels"]
    return BundleManifest(
        config=config,
        precision=fields["precision"],
        plan=SegmentPlan(config.num_hidden_layers, tuple(fields["exits"])),
        labels=None if labels is None else tuple(labels),
        preprocessing=fields["preprocessing"],
        usage=Usage(**fields["usage"]),
        versions=fields["versions"],
        files=fields["files"],
        format=format_,
    )


def _spec(dtype: str, shape: list[int | None]) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape}


def _check_nothing_else(folder: str, expected: Collection[str]) -> None:
    """Refuses links, and files that are not of the bundle."""
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(parent, name)
            is_listed = os.path.relpath(path, folder) in expected
            if os.path.islink(path) or not (name in folders or is_listed):
                raise ValueError(
                    f"{path} is not a file of the bundle. Expected: those of "
                    f"its {MANIFEST_FILE} and no others. Remove it."
                )
