"""A `TextClassifier` as what Beam's `RunInference` calls a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler

from fastbert_tf.segments import TextClassifier

from ..bundle.bundle import Bundle
from ..bundle.manifest import BundleManifest
from .texts import NAMESPACE, Example, columns

DEPTH = "depth"


class BundleHandler(ModelHandler[Example, dict[str, Any], TextClassifier]):
    """Answers texts as `fastbert-predict` does: the same call on the same rows.

    It is meant for `with_no_batching()`, with batches of one length and of
    `rows_per_call` rows. Those that Beam makes end with a bundle of its
    runner's, which may hold a few rows.

    Args:
        bundle_dir: str, the same bundle on every worker.
        manifest: `BundleManifest`, which it must have there.
        speed: float in [0, 1].
        max_batch_size: int, rows that run together.
    """

    def __init__(
        self,
        bundle_dir: str,
        manifest: BundleManifest,
        speed: float,
        max_batch_size: int,
    ) -> None:
        super().__init__()
        self.bundle_dir = bundle_dir
        self.manifest = manifest
        self.max_batch_size = max_batch_size
        self._speed = speed

    def load_model(self) -> TextClassifier:
        """Verifies and loads the bundle, once a process.

        Raises:
            ValueError: it is damaged, or not the one the run began with.
        """
        bundle = Bundle(self.bundle_dir)
        if bundle.manifest != self.manifest:
            raise ValueError(
                f"{self.bundle_dir} of this worker is another bundle than that "
                "of the run. Expected the same on all. Copy it there anew."
            )
        return bundle.classifier(max_batch_size=self.max_batch_size)

    def run_inference(
        self,
        batch: Sequence[Example],
        model: TextClassifier,
        inference_args: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """The record of every row: its place, and `TextAnswer.to_dict`."""
        answers = model.predict(*columns(batch), speed=self._speed)
        depth = Metrics.distribution(NAMESPACE, DEPTH)
        for example, record in zip(batch, answers.to_dicts(), strict=True):
            depth.update(record["exit_index"] + 1)
            yield {"file": example.file, "line": example.line, **record}

    def get_num_bytes(self, batch: Sequence[Example]) -> int:
        """For Beam's metrics."""
        return sum(example.num_bytes for example in batch)
