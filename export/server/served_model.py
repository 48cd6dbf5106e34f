"""A bundle in memory, as the server asks it."""

from __future__ import annotations

import dataclasses
import os
import re

import numpy as np

from fastbert_tf import FastBertConfig, TextPreprocessor
from fastbert_tf.segments import Segment

from ..bundle.loading import load_preprocessor, load_segments
from ..bundle.manifest import BundleManifest, read_manifest
from .errors import refuse
from .query import Query


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """A bundle in memory.

    Args:
        manifest: `BundleManifest`.
        preprocessor: `TextPreprocessor`.
        segments: list of `Segment` in order.
        name: str, that clients ask for.
        version: str.

    Raises:
        ValueError: `name` does not fit into a path.
    """

    manifest: BundleManifest
    preprocessor: TextPreprocessor
    segments: list[Segment]
    name: str = "fastbert"
    version: str = "1"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+", self.name, re.ASCII):
            raise ValueError(
                "A model's name must be letters, digits and the signs . _ -. "
                f"Received: {self.name!r}. Pass another --model_name."
            )

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], name: str = "fastbert"
    ) -> ServedModel:
        """The bundle of a folder, verified first.

        Raises:
            FileNotFoundError, ValueError: as of `load_segments`.
        """
        manifest = read_manifest(path)
        return cls(manifest, load_preprocessor(path), load_segments(path), name)

    @property
    def config(self) -> FastBertConfig:
        return self.manifest.config

    @property
    def label_names(self) -> tuple[str, ...]:
        """C class names; their numbers where the bundle has none."""
        numbers = map(str, range(self.config.num_classes))
        return self.manifest.labels or tuple(numbers)

    def encode(self, query: Query) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The inputs of B rows, int32 `[B, S]`, and bool `[B]`: truncated.

        Raises:
            RequestError: 400, one text where the model is of pairs, or the
                reverse.
        """
        is_pair, pairs = query.pairs is not None, self.manifest.usage.pairs
        if pairs is not None and is_pair != pairs:
            refuse(
                f"The model was trained on {'pairs' if pairs else 'texts'}. "
                f"{'Pass' if pairs else 'Leave out'} `text_b`."
            )
        inputs, truncated = self.preprocessor.encode(query.texts, query.pairs)
        arrays = {name: x.numpy() for name, x in inputs.items()}
        return arrays, truncated.numpy()
