"""From a trained model to a bundle."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import fastbert_tf
from fastbert_tf import FastBertClassifier, TextPreprocessor, check_preprocessor
from fastbert_tf.checkpoints import (
    check_finite,
    check_labels,
    check_writable,
    read_manifest,
)
from fastbert_tf.files import read_json, replaced_folder
from fastbert_tf.segments import SegmentPlan, segment_name
from fastbert_tf.segments.backends import (
    check_precision,
    imported_openvino,
    network_parts,
    openvino_parts,
)

from .bundle.layout import OPENVINO, SAVED_MODEL, check_format
from .bundle.manifest import (
    KIND,
    MANIFEST_FILE,
    PREPROCESSOR,
    BundleManifest,
    Usage,
    describe_file,
)
from .bundle.openvino_files import save_openvino_segment
from .bundle.saved_preprocessor import save_preprocessor
from .bundle.saved_segment import compute_dtypes, save_segment
from .bundle.serving_signatures import SERVING
from .tensorflow_serving.saved_model import save_serving
from .tensorflow_serving.warmup import check_can_write_warmup


def export_segments(
    model: FastBertClassifier,
    path: str | os.PathLike[str],
    preprocessor: TextPreprocessor,
    labels: Sequence[str] | None = None,
    precision: str = "float32",
    *,
    speed: float = Usage.speed,
    pairs: bool | None = None,
    plan: SegmentPlan | None = None,
    format: str = SAVED_MODEL,
    serving: bool = False,
    **old: Any,
) -> BundleManifest:
    """Writes a bundle: all that is needed to answer texts, without Keras.

    `M0/` to `M11/` are SavedModels, each with its own weights only, and
    `preprocessor/` one that turns strings into ids; beside them lie the
    vocabulary and `manifest.json`. A SavedModel's `serving_default` takes and
    gives named tensors, rows and length unknown: plain TensorFlow runs it.
    `load_segments` makes `Segment`s of them.

    The folder is written aside, synced and renamed: `path` holds the old
    bundle or the new one. A bundle of `"bfloat16"` keeps its weights in two
    bytes and runs on processors with and without bfloat16 instructions.

    With `serving`, `serving/1/` is the whole model again as one SavedModel
    that TensorFlow Serving runs, with the pools of survivors in its graph and
    requests to warm it up; it takes as much room as all segments.

    Args:
        model: `FastBertClassifier`.
        path: folder to write; a bundle there is replaced.
        preprocessor: `TextPreprocessor` of the model.
        labels: C class names, in the order of the logits, or None.
        precision: str, `"float32"` or `"bfloat16"`, as of `build_segments`.
        speed: float in [0, 1], for callers who name none.
        pairs: bool, whether it was trained on pairs of texts; None if that
            is not known.
        plan: `SegmentPlan`, the exits that are asked; all by default.
        format: str, of the segments. `"saved_model"` runs wherever TensorFlow
            does. `"openvino"` runs on processors alone, faster for rows alone
            and for large models; it needs the extra `openvino` to be written
            and to be loaded.
        serving: bool, have `serving/1/` as well, a SavedModel in either
            format. It needs the extra `serving`.
        **old: refused, with what `usage` and `layout` of 0.1 have become.

    Returns:
        the manifest of what was written.

    Raises:
        ValueError: an argument does not fit the model, a weight is not
            finite, `path` is something else than a bundle, or another process
            is writing it.
        TypeError: an argument of 0.1 is given.
        ImportError: an extra is needed and not installed.
        OSError: it cannot be written; what was there is unchanged.

    Example:

    ```python
    export_segments(model, "bundle/", preprocessor, labels=["neg", "pos"])
    driver = segments.Driver(load_segments("bundle/"))
    ```
    """
    _refuse_others(old)
    path = os.path.abspath(path)
    check_bundle_path(path)
    check_precision(precision)
    check_format(format)
    _check_model(model, preprocessor, labels)
    usage = Usage(speed, pairs)
    if format == OPENVINO:
        imported_openvino()
    if serving:
        check_can_write_warmup()
    plan = plan or SegmentPlan.every_exit(model.config.num_hidden_layers)
    with replaced_folder(path, MANIFEST_FILE) as folder:
        with _out_of_room(folder):
            _SEGMENTS[format](folder, model, precision, plan)
            save_preprocessor(preprocessor, os.path.join(folder, PREPROCESSOR))
            if serving:
                parts = network_parts(model, precision, plan, precision)
                given = parts, model.config, preprocessor, labels, usage
                save_serving(*given, os.path.join(folder, SERVING))
        preprocessor.save(folder)
        manifest = BundleManifest(
            config=model.config,
            precision=precision,
            plan=plan,
            labels=None if labels is None else tuple(labels),
            preprocessing=preprocessor.config(),
            usage=usage,
            versions=_versions(),
            files={name: _describe(folder, name) for name in _names(folder)},
            format=format,
        )
        path = os.path.join(folder, MANIFEST_FILE)
        with open(path, "x", encoding="utf-8") as file:
            file.write(manifest.to_text())
    return manifest


def export_folder(
    model_dir: str | os.PathLike[str],
    path: str | os.PathLike[str],
    exits: Sequence[int] | None = None,
    **options: Any,
) -> BundleManifest:
    """Writes the bundle of a trained model's folder.

    Args:
        model_dir: folder that `save_pretrained` or `fastbert-train` wrote.
        path: folder to write; a bundle there is replaced.
        exits: ints, those that are asked, the last block's among them; all
            by default.
        **options: of `export_segments`: `precision`, `speed`, `format`,
            `serving`.

    Returns, Raises: as of `export_segments`.
    """
    check_bundle_path(os.path.abspath(path))
    folder = os.fspath(model_dir)
    trained = read_manifest(folder)
    preprocessor = TextPreprocessor.from_pretrained(folder)
    model = FastBertClassifier.from_pretrained(folder)
    if exits is not None:
        num_blocks = model.config.num_hidden_layers
        options["plan"] = SegmentPlan(num_blocks, tuple(exits))
    return export_segments(
        model,
        path,
        preprocessor,
        trained.labels,
        pairs=trained.pairs,
        **options,
    )


def _refuse_others(old: Mapping[str, Any]) -> None:
    if old:
        raise TypeError(
            "`export_segments` takes speed=, pairs=, plan=, format= and "
            "serving=, which `usage` and `layout` held in 0.1. Received: "
            f"{', '.join(old)}."
        )


def _check_model(
    model: FastBertClassifier,
    preprocessor: TextPreprocessor,
    labels: Sequence[str] | None,
) -> None:
    check_labels(labels, model.config.num_classes)
    check_preprocessor(
        preprocessor.vocab_size, preprocessor.sequence_length, model.config
    )
    for name, weight in model.named_weights().items():
        check_finite(np.asarray(weight.value, np.float32), name, "the model")


def check_bundle_path(path: str) -> None:
    """Refuses what is not to be replaced by a bundle, before the work.

    Raises:
        ValueError: `path` is a file, a symbolic link or a folder of something
            else.
        PermissionError: its folder may not be written to.
    """
    check_writable(path, MANIFEST_FILE)
    manifest = os.path.join(path, MANIFEST_FILE)
    # Others, browsers among them, have manifests of the same name.
    if os.path.exists(manifest) and read_json(manifest).get("kind") != KIND:
        raise ValueError(
            f"{path} has a {MANIFEST_FILE} that is not of a bundle. Expected: "
            "nothing there, an empty folder or a bundle. Choose another path."
        )


@contextlib.contextmanager
def _out_of_room(folder: str) -> Iterator[None]:
    """TensorFlow's errors of writing as those of the operating system."""
    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(
            f"{folder} cannot be written to: {error.message}. Expected: room "
            "for the bundle. Free some, or choose another path."
        ) from error


def _write_saved_models(
    folder: str, model: FastBertClassifier, precision: str, plan: SegmentPlan
) -> None:
    networks = [
        network_parts(model, precision, plan, dtype)
        for dtype in compute_dtypes(precision)
    ]
    for span, *parts in zip(plan.spans, *networks, strict=True):
        name = os.path.join(folder, segment_name(*span))
        save_segment(parts, name, model.config.hidden_size)


def _write_openvino(
    folder: str, model: FastBertClassifier, precision: str, plan: SegmentPlan
) -> None:
    parts = openvino_parts(model, precision, plan)
    for span, part in zip(plan.spans, parts, strict=True):
        name = os.path.join(folder, segment_name(*span))
        save_openvino_segment(part, name, model.config.hidden_size, precision)


_SEGMENTS = {SAVED_MODEL: _write_saved_models, OPENVINO: _write_openvino}


def _names(folder: str) -> Iterator[str]:
    """Paths inside `folder` of every file."""
    for parent, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(parent, name), folder)


def _describe(folder: str, name: str) -> dict[str, int | str]:
    return describe_file(os.path.join(folder, name))


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "fastbert-tf": fastbert_tf.__version__,
    }
