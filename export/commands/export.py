"""How do I ship a trained FastBERT?

    fastbert-export --model_dir=model/ --bundle_dir=bundle/ \\
        --precision=bfloat16

Writes a bundle: a SavedModel or, with --format=openvino, a graph of OpenVINO
for every segment (M0, M1, ...), a SavedModel that turns texts into ids, the
vocabulary, the labels, and `manifest.json` with the SHA-256 of every file. A
bundle that is already there is replaced as a whole. Prints what was written
and its size; `fastbert-predict --bundle_dir=bundle/` reads it.
"""

from collections.abc import Sequence

from absl import app, flags

from fastbert_tf import check_speed
from fastbert_tf.commands.launch import launch
from fastbert_tf.commands.shared_flags import (
    define_precision,
    define_speed,
    define_text,
)
from fastbert_tf.segments.backends import PRECISIONS

from ..bundle.layout import FORMATS, SAVED_MODEL
from ..bundle.manifest import BundleManifest, Usage
from ..exporting import check_bundle_path, export_folder


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of this command; not done by importing it."""
    define_text("model_dir", values, required=True)
    define_text(
        "bundle_dir", values, "One that is there is replaced.", required=True
    )
    define_precision(values, PRECISIONS, "bfloat16 takes half the room.")
    flags.DEFINE_enum(
        "format",
        SAVED_MODEL,
        FORMATS,
        "Of the segments. OpenVINO's run on processors, often faster (needs "
        "'.[openvino]').",
        values,
    )
    define_speed(values, "For callers who name none.", Usage.speed)
    flags.DEFINE_list(
        "exits",
        [],
        "Exits to ask, from 0, by commas, the last block's among them; blocks "
        "between them are fused. Default: all.",
        values,
    )
    flags.DEFINE_bool(
        "serving",
        False,
        "Write serving/1/ too, a SavedModel for TensorFlow Serving; it takes "
        "as much room as all else.",
        values,
    )


def main(argv: Sequence[str], values: flags.FlagValues = flags.FLAGS) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"Not a flag: {' '.join(argv[1:])}")
    check_speed(values.speed, num_rows=1)
    check_bundle_path(values.bundle_dir)
    manifest = export_folder(
        values.model_dir,
        values.bundle_dir,
        exits=_exits(values.exits),
        precision=values.precision,
        speed=values.speed,
        format=values.format,
        serving=values.serving,
    )
    print(f"{values.bundle_dir}: {_summary(manifest)}")


def _exits(texts: Sequence[str]) -> tuple[int, ...] | None:
    if not texts:
        return None
    if not all(text.strip().isdecimal() for text in texts):
        raise ValueError(
            "`--exits` must be whole numbers, by commas. Received: "
            f"{','.join(texts)}. Write --exits=0,2,11 for example."
        )
    return tuple(int(text) for text in texts)


def _summary(manifest: BundleManifest) -> str:
    size = sum(file["bytes"] for file in manifest.files.values())
    return (
        f"{len(manifest.segment_names)} segments of {manifest.precision}, "
        f"{len(manifest.files)} files, {size / 1e6:.1f} MB"
    )


def run() -> None:
    """The console script."""
    launch(main, define_flags)


if __name__ == "__main__":
    run()
