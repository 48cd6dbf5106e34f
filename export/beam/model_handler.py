"""A bundle as what Beam's `RunInference` calls a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler

from fastbert_tf import TextPreprocessor
from fastbert_tf.segments import PooledDriver, predict_texts

from ..answer_json import records
from ..bundle.loading import load_preprocessor, load_segments
from ..bundle.manifest import BundleManifest, read_manifest
from .settings import NAMESPACE
from .texts import Text, columns

DEPTH = "depth"


@dataclasses.dataclass(frozen=True)
class Model:
    """What answers in one process: of a bundle."""

    preprocessor: TextPreprocessor
    driver: PooledDriver


class BundleHandler(ModelHandler[Text, dict[str, Any], Model]):
    """Answers texts as `fastbert-predict` does: the same call on the same rows.

    It is meant for `with_no_batching()`, with batches of one length and of
    `rows_per_call` rows. Those that Beam makes end with a bundle of its
    runner's, which may hold a few rows.

    Args:
        bundle_dir: str, the same bundle on every worker.
        manifest: `BundleManifest`, which it must have there.
        speed: float in [0, 1].
        batch_size: int, rows that run together.
    """

    def __init__(
        self,
        bundle_dir: str,
        manifest: BundleManifest,
        speed: float,
        batch_size: int,
    ) -> None:
        super().__init__()
        self._bundle_dir = bundle_dir
        self._manifest = manifest
        self._speed = speed
        self._batch_size = batch_size

    def load_model(self) -> Model:
        """Verifies and loads the bundle, once a process.

        Raises:
            ValueError: it is damaged, or not the one the run began with.
        """
        folder = self._bundle_dir
        if read_manifest(folder) != self._manifest:
            raise ValueError(
                f"{folder} of this worker is another bundle than that of the "
                "run. Expected the same on all. Copy it there anew."
            )
        driver = PooledDriver(load_segments(folder), self._batch_size)
        return Model(load_preprocessor(folder), driver)

    def run_inference(
        self,
        batch: Sequence[Text],
        model: Model,
        inference_args: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The record of every row: where it is, and what `records` tells."""
        texts = columns(batch)
        prediction = predict_texts(
            model.driver, model.preprocessor, *texts, speed=self._speed
        )
        depth = Metrics.distribution(NAMESPACE, DEPTH)
        for text, record in zip(
            batch, records(prediction, self._manifest.labels), strict=True
        ):
            depth.update(record["exit_index"] + 1)
            yield {"file": text.file, "line": text.line, **record}

    def get_num_bytes(self, batch: Sequence[Text]) -> int:
        """For Beam's metrics."""
        return sum(text.num_bytes for text in batch)
