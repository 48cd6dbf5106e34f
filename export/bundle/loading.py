"""From a bundle to segments and a preprocessor."""

from __future__ import annotations

import os

from fastbert_tf import TextPreprocessor
from fastbert_tf.segments import Segment
from fastbert_tf.text import load_unicode_table, read_vocabulary

from .layout import OPENVINO
from .manifest import PREPROCESSOR, TEXT_FILES, read_manifest
from .openvino_files import check_openvino, load_openvino_segment
from .operations import (
    SEGMENT_OPERATIONS,
    SERVING_OPERATIONS,
    TEXT_OPERATIONS,
    check_saved_model,
)
from .saved_segment import load_segment
from .serving_signatures import SERVING

_OPERATIONS = {PREPROCESSOR: TEXT_OPERATIONS, SERVING: SERVING_OPERATIONS}


def load_segments(path: str | os.PathLike[str]) -> list[Segment]:
    """The segments of a bundle, for any driver that takes segments.

    Before anything is loaded the manifest, then size and SHA-256 of every
    file, then the operations of every graph are checked: a bundle that is
    damaged, holds other files, or could touch files or run Python is refused.
    Weights become constants again, so that the segments are as fast as those
    of `build_segments`, and equal to them bit for bit in float32. Those of
    `"bfloat16"` compute in float32 where the processor lacks bfloat16
    instructions, wherever the bundle was made. Those of the format
    `"openvino"` run on OpenVINO, on the processor, and agree to rounding.

    No Keras layer or model is made. (Importing `fastbert_tf` imports Keras
    all the same.)

    Args:
        path: folder that `export_segments` wrote.

    Raises:
        FileNotFoundError: a file is missing.
        ModuleNotFoundError: the format needs OpenVINO, which is not there.
        ValueError: the bundle is refused, with the file's name.

    Example:

    ```python
    driver = segments.Driver(load_segments("bundle/"))
    driver.predict(load_preprocessor("bundle/")(["a text"]), speed=0.5)
    ```
    """
    path = os.path.abspath(path)
    manifest = read_manifest(path)
    manifest.check_files(path)
    for name in manifest.saved_models:
        allowed = _OPERATIONS.get(name, SEGMENT_OPERATIONS)
        check_saved_model(os.path.join(path, name), allowed)
    folders = [os.path.join(path, name) for name in manifest.segment_names]
    load = load_segment
    if manifest.format == OPENVINO:
        load = load_openvino_segment
        for folder in folders:
            check_openvino(folder)
    return [
        load(folder, *span, manifest.config, manifest.precision)
        for folder, span in zip(folders, manifest.plan.spans, strict=True)
    ]


def load_preprocessor(path: str | os.PathLike[str]) -> TextPreprocessor:
    """The preprocessor of a bundle, as it was given to `export_segments`.

    It is made from the vocabulary and the table of code points, which are
    verified first. The SavedModel in `preprocessor/` gives the same ids to
    who has TensorFlow and tensorflow-text alone.

    Args:
        path: folder that `export_segments` wrote.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or they do not fit each other.
    """
    path = os.path.abspath(path)
    manifest = read_manifest(path)
    manifest.check_files(path, TEXT_FILES)
    vocabulary, table = (os.path.join(path, name) for name in TEXT_FILES)
    settings = dict(manifest.preprocessing)
    do_lower_case = settings.pop("do_lower_case")
    table = load_unicode_table(table)
    if table.do_lower_case != do_lower_case:
        raise ValueError(
            f"The table of {path} has do_lower_case={table.do_lower_case}. "
            f"Expected: {do_lower_case}, as its manifest says. Export the "
            "model again."
        )
    tokens = read_vocabulary(vocabulary, manifest.config.vocab_size)
    return TextPreprocessor(tokens, table, **settings)
