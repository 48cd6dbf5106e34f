"""The SavedModel that turns strings into ids."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import TextPreprocessor
from tests.fastbert_tf.text import text_oracle
from tests.tiny_texts import PAIRS, TEXTS


@pytest.mark.parametrize("texts", [TEXTS, text_oracle.ODD_TEXTS, []])
def test_it_gives_the_ids_of_the_preprocessor(
    bundle: pathlib.Path, preprocessor: TextPreprocessor, texts: list[str]
) -> None:
    loaded = tf.saved_model.load(str(bundle / "preprocessor"))
    given = tf.constant(texts, tf.string)
    received = loaded.signatures["serving_default"](texts=given)
    expected = preprocessor.encode(texts)
    for name, value in expected.inputs.items():
        np.testing.assert_array_equal(received[name], value)
    np.testing.assert_array_equal(received["truncated"], expected.truncated)


def test_pairs_have_a_signature_of_their_own(
    bundle: pathlib.Path, preprocessor: TextPreprocessor
) -> None:
    loaded = tf.saved_model.load(str(bundle / "preprocessor"))
    texts, pairs = tf.constant(TEXTS), tf.constant(PAIRS)
    received = loaded.signatures["pairs"](texts=texts, pairs=pairs)
    expected = preprocessor(TEXTS, PAIRS)
    for name, value in expected.items():
        np.testing.assert_array_equal(received[name], value)
