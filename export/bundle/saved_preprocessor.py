"""The preprocessor as a SavedModel of its own."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from fastbert_tf import TextPreprocessor

from .saved_segment import SIGNATURE

PAIR_SIGNATURE = "pairs"


def save_preprocessor(preprocessor: TextPreprocessor, folder: str) -> None:
    """Writes the way from strings to ids.

    Signature `serving_default` takes `texts`, `pairs` takes `texts` and
    `pairs`, string `[B]` each. Both give the model's inputs, int32 `[B, S]`,
    and `truncated`, bool `[B]`. To load it, import `tensorflow_text` before.

    Args:
        preprocessor: `TextPreprocessor`.
        folder: of the SavedModel.
    """

    def encode(*texts: Any) -> Any:
        inputs, truncated = preprocessor.encode(*texts)
        return {**inputs, "truncated": truncated}

    module = tf.Module()
    module.preprocessor = preprocessor  # Holds what the functions capture.
    specs = [tf.TensorSpec([None], tf.string, x) for x in ("texts", "pairs")]
    module.single = tf.function(encode, [specs[0]], autograph=False)
    module.pair = tf.function(encode, specs, autograph=False)
    signatures = {SIGNATURE: module.single, PAIR_SIGNATURE: module.pair}
    tf.saved_model.save(module, folder, signatures=signatures)
