"""A bundle on disk, opened and checked once."""

from __future__ import annotations

import os

from fastbert_tf import FastBertClassifier, TextPreprocessor
from fastbert_tf.checkpoints import check_finite
from fastbert_tf.segments import (
    Driver,
    PooledDriver,
    Segment,
    SingleGraphDriver,
    TextClassifier,
    build_segments,
    check_purpose,
    for_purpose,
)
from fastbert_tf.text import load_unicode_table, read_vocabulary

from .layout import OPENVINO
from .manifest import (
    MANIFEST_FILE,
    PREPROCESSOR,
    TEXT_FILES,
    BundleManifest,
    read_bundle_manifest,
)
from .openvino_files import check_openvino, load_openvino_segment
from .operations import (
    SEGMENT_OPERATIONS,
    SERVING_OPERATIONS,
    TEXT_OPERATIONS,
    check_saved_model,
)
from .saved_weights import read_saved_weights
from .serving_signatures import SERVING

AnyDriver = Driver | PooledDriver | SingleGraphDriver

_OPERATIONS = {PREPROCESSOR: TEXT_OPERATIONS, SERVING: SERVING_OPERATIONS}


class Bundle:
    """A bundle that has proved whole, and what can be made of it.

    Its manifest is read once, and size and SHA-256 of every file are checked
    then. The operations of every graph are looked at as data: a bundle that
    is damaged, holds other files, or could touch files or run Python is
    refused. No graph of a SavedModel is loaded or run: those are for model
    servers.

    Args:
        path: folder that `export_segments` wrote.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the bundle is refused, with the file's name.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self.manifest = read_bundle_manifest(self.path)
        self.manifest.check_files(self.path)
        for name in self.manifest.saved_models:
            allowed = _OPERATIONS.get(name, SEGMENT_OPERATIONS)
            check_saved_model(os.path.join(self.path, name), allowed)
        if self.manifest.format == OPENVINO:
            for folder in self._segment_folders:
                check_openvino(folder)

    def segments(self) -> list[Segment]:
        """The segments, for any driver that takes segments.

        Those of SavedModels are built from the bundle's sizes and weights by
        `build_segments`: they equal those of the trained model bit for bit.
        Those of `"bfloat16"` compute in float32 where the processor lacks
        bfloat16 instructions, wherever the bundle was made. Those of the
        format `"openvino"` run on OpenVINO and agree to rounding.

        Raises:
            ModuleNotFoundError: the format needs OpenVINO, which is not there.
            ValueError: a file does not hold the segment it should.
        """
        manifest = self.manifest
        if manifest.format != OPENVINO:
            model = self.model()
            return build_segments(model, manifest.precision, manifest.plan)
        spans = zip(self._segment_folders, manifest.plan.spans, strict=True)
        return [
            load_openvino_segment(
                folder, *span, manifest.config, manifest.precision
            )
            for folder, span in spans
        ]

    def model(self) -> FastBertClassifier:
        """The network with the weights of the SavedModels.

        Students that the plan leaves out are fresh: the bundle has none.

        Raises:
            ValueError: a file does not hold the weights it should.
        """
        manifest, tensors = self.manifest, {}
        spans = zip(self._segment_folders, manifest.plan.spans, strict=True)
        for folder, span in spans:
            weights = read_saved_weights(
                folder, *span, manifest.config, manifest.precision
            )
            for name, weight in weights.items():
                check_finite(weight, name, folder)
            tensors |= weights
        model = FastBertClassifier(manifest.config)
        variables = model.named_weights()
        for name, weight in tensors.items():
            variables[name].assign(weight)
        return model

    def preprocessor(self) -> TextPreprocessor:
        """The preprocessor, as it was given to `export_segments`.

        Raises:
            ValueError: vocabulary, table and manifest do not fit each other.
        """
        manifest = self.manifest
        vocabulary, table = (os.path.join(self.path, x) for x in TEXT_FILES)
        settings = dict(manifest.preprocessing)
        do_lower_case = settings.pop("do_lower_case")
        table = load_unicode_table(table)
        if table.do_lower_case != do_lower_case:
            raise ValueError(
                f"The table of {self.path} has do_lower_case="
                f"{table.do_lower_case}. Expected: {do_lower_case}, as its "
                "manifest says. Export the model again."
            )
        tokens = read_vocabulary(vocabulary, manifest.config.vocab_size)
        return TextPreprocessor(tokens, table, **settings)

    def driver(self, purpose: str, max_batch_size: int) -> AnyDriver:
        """The driver for a purpose, as `TextClassifier.from_pretrained` says.

        Of OpenVINO's segments `"latency"` makes a `Driver`.
        """
        manifest = self.manifest
        if manifest.format != OPENVINO:
            precision, plan = manifest.precision, manifest.plan
            return for_purpose(
                purpose, self.model(), precision, max_batch_size, plan
            )
        if check_purpose(purpose) == "latency":
            return Driver(self.segments())
        return PooledDriver(self.segments(), max_batch_size)

    def classifier(
        self, purpose: str = "throughput", max_batch_size: int = 32
    ) -> TextClassifier:
        """Texts in, named labels out; as `load_classifier` says."""
        usage = self.manifest.usage
        return TextClassifier(
            self.driver(purpose, max_batch_size),
            self.preprocessor(),
            self.manifest.labels,
            usage.pairs,
            usage.speed,
            rows_per_call=max_batch_size if purpose == "latency" else None,
        )

    @property
    def _segment_folders(self) -> list[str]:
        names = self.manifest.segment_names
        return [os.path.join(self.path, name) for name in names]


def is_bundle(path: str | os.PathLike[str]) -> bool:
    """Whether a folder has a bundle's manifest; it is not looked at."""
    return os.path.isfile(os.path.join(path, MANIFEST_FILE))


def check_is_bundle(path: str | os.PathLike[str]) -> None:
    """Refuses a path that is no bundle, before anything else is done.

    Raises:
        FileNotFoundError: it has no manifest.
    """
    if not is_bundle(path):
        raise FileNotFoundError(
            f"{path} is not a bundle: it has no {MANIFEST_FILE}. Expected a "
            "folder that fastbert-export wrote."
        )


def load_segments(path: str | os.PathLike[str]) -> list[Segment]:
    """The segments of a bundle, for any driver that takes segments.

    See `Bundle`, which checks it first, and `Bundle.segments`.

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
    return Bundle(path).segments()


def load_preprocessor(path: str | os.PathLike[str]) -> TextPreprocessor:
    """The preprocessor of a bundle, as it was given to `export_segments`.

    It is made from the vocabulary and the table of code points. The
    SavedModel in `preprocessor/` gives the same ids to who has TensorFlow and
    tensorflow-text alone.

    Args:
        path: folder that `export_segments` wrote.

    Raises:
        FileNotFoundError, ValueError: as of `load_segments`.
    """
    return Bundle(path).preprocessor()


def load_classifier(
    path: str | os.PathLike[str],
    precision: str | None = None,
    purpose: str = "throughput",
    max_batch_size: int = 32,
) -> TextClassifier:
    """The classifier of a bundle, of a model folder, or of a hub name.

    Args:
        path: folder that `export_segments` or `save_pretrained` wrote, or the
            name of such a folder on the Hugging Face hub.
        precision: str, as of `build_segments`; a bundle has one of its own.
        purpose, max_batch_size: as of `TextClassifier.from_pretrained`.

    Raises:
        FileNotFoundError: there is nothing at `path`, or a file is missing.
        ModuleNotFoundError: the format needs OpenVINO, which is not there.
        ValueError: a file is damaged, it is no model, or an argument is not
            as above.

    Example:

    ```python
    classifier = export.load_classifier("bundle/")
    list(classifier.predict(["a fine film", "dull"]))
    ```
    """
    if not is_bundle(path):
        return TextClassifier.from_pretrained(
            path, precision, purpose, max_batch_size
        )
    bundle = Bundle(path)
    _check_precision(precision, bundle.manifest, bundle.path)
    return bundle.classifier(purpose, max_batch_size)


def _check_precision(
    precision: str | None, manifest: BundleManifest, path: str
) -> None:
    if precision not in (None, manifest.precision):
        raise ValueError(
            f"{path} is of {manifest.precision}. Received: "
            f"precision={precision!r}. Leave it out, or export the model in "
            "that precision."
        )
