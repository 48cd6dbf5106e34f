"""The SavedModel for TensorFlow Serving: answers, errors, many callers."""

import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from fastbert_tf import (
    ExitResult,
    FastBertClassifier,
    TextPreprocessor,
    simulate_exits,
)
from fastbert_tf.export import export_segments, read_bundle_manifest
from fastbert_tf.export.bundle.serving_signatures import SERVING
from tests.export.bundles import content, wide_model
from tests.export.conftest import LABELS
from tests.fastbert_tf.text import text_oracle
from tests.segments.driver_test import settled
from tests.tiny_models import random_model, tiny_inputs
from tests.tiny_texts import PAIRS, TEXTS
from tests.tolerances import tolerance

InvalidArgument = tf.errors.InvalidArgumentError
SPEEDS = [0.0, 0.1, 0.5, 0.8]


def texts_of(strings: list[Any]) -> tf.Tensor:
    return tf.constant(strings, tf.string, [len(strings)])


def speeds(num_rows: int, speed: Any = 0.5) -> tf.Tensor:
    return tf.fill([num_rows], tf.constant(speed, tf.float32))


def assert_answers(received: Any, expected: ExitResult, kept: Any) -> None:
    """Equal, on the rows that do not lie within rounding of leaving."""
    received = {name: x.numpy()[kept] for name, x in received.items()}
    expected = expected.take(np.flatnonzero(kept))
    np.testing.assert_array_equal(received["exit_index"], expected.exit_index)
    np.testing.assert_array_equal(received["label_id"], expected.labels)
    names = [LABELS[i].encode() for i in expected.labels]
    assert received["label"].tolist() == names
    for name in ("probabilities", "uncertainty"):
        np.testing.assert_allclose(
            received[name], getattr(expected, name), atol=1e-5
        )


@pytest.mark.parametrize("speed", SPEEDS)
def test_tokens_are_answered_as_the_oracle_says(
    served_model: FastBertClassifier, signatures: Any, speed: float
) -> None:
    inputs = tiny_inputs(50, 21)
    logits = served_model.exit_logits(inputs)
    received = signatures["tokens_with_speed"](
        **{k: tf.constant(v) for k, v in inputs.items()},
        speed=speeds(50, speed),
    )
    expected = simulate_exits(logits, speed)
    assert_answers(received, expected, settled(logits, speed))


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("pairs", [None, PAIRS])
def test_texts_are_answered_as_the_oracle_says(
    served_model: FastBertClassifier,
    long_preprocessor: TextPreprocessor,
    signatures: Any,
    speed: float,
    pairs: Any,
) -> None:
    inputs, truncated = long_preprocessor.encode(TEXTS, pairs)
    logits = served_model.exit_logits(inputs)
    given = {"text": texts_of(TEXTS), "speed": speeds(len(TEXTS), speed)}
    if pairs:
        given["text_b"] = texts_of(pairs)
    name = "pairs_with_speed" if pairs else "with_speed"
    received = signatures[name](**given)
    expected = simulate_exits(logits, speed)
    assert_answers(received, expected, settled(logits, speed))
    np.testing.assert_array_equal(received["truncated"], truncated)


def test_speed_is_per_row_and_the_bundle_has_a_default(signatures: Any) -> None:
    texts = texts_of(TEXTS)
    rows = len(TEXTS)
    mixed = [0.0, 1.0] * rows
    received = signatures["with_speed"](
        text=texts, speed=tf.constant(mixed[:rows])
    )
    apart = [
        signatures["with_speed"](text=texts, speed=speeds(rows, speed))
        for speed in (0.0, 1.0)
    ]
    for row in range(rows):
        expected = apart[row % 2]["exit_index"][row]
        assert received["exit_index"][row] == expected
    default = signatures["serving_default"](text=texts)
    same = signatures["with_speed"](text=texts, speed=speeds(rows, 0.25))
    for name, value in same.items():
        np.testing.assert_array_equal(default[name], value)


def example(**features: Any) -> bytes:
    message = tf.train.Example()
    for name, value in features.items():
        feature = message.features.feature[name]
        if isinstance(value, float):
            feature.float_list.value.append(value)
        else:
            feature.bytes_list.value.append(value.encode())
    return message.SerializeToString()


def test_classify_scores_every_class_of_serialized_examples(
    signatures: Any,
) -> None:
    examples = [example(text="a good film"), example(text="dull", speed=0.75)]
    received = signatures["classify"](inputs=texts_of(examples))
    expected = signatures["with_speed"](
        text=texts_of(["a good film", "dull"]), speed=tf.constant([0.25, 0.75])
    )
    assert (
        received["classes"].numpy().tolist()
        == [[label.encode() for label in LABELS]] * 2
    )
    np.testing.assert_array_equal(received["scores"], expected["probabilities"])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"text": "good", "text_b": "bad"}, "`text_b` must be left out"),
        ({}, "text"),
        ({"text": "good", "speed": 2.0}, "`speed` must be in"),
    ],
)
def test_classify_refuses_examples_of_another_kind(
    signatures: Any, features: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        signatures["classify"](inputs=texts_of([example(**features)]))


def test_odd_texts_are_answered_as_the_preprocessor_reads_them(
    long_preprocessor: TextPreprocessor, signatures: Any
) -> None:
    odd = [*text_oracle.ODD_TEXTS, b"\xff\xfe good \xc3", b"", b" \x00 "]
    inputs, truncated = long_preprocessor.encode(odd)
    received = signatures["with_speed"](
        text=texts_of([as_bytes(x) for x in odd]), speed=speeds(len(odd))
    )
    expected = signatures["tokens_with_speed"](**inputs, speed=speeds(len(odd)))
    for name, value in expected.items():
        np.testing.assert_array_equal(received[name], value)
    np.testing.assert_array_equal(received["truncated"], truncated)


def as_bytes(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    return text.encode("utf-8", "surrogatepass")


def test_a_row_without_a_number_is_marked_and_alone(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    model = random_model(num_hidden_layers=1)
    table = model.embeddings.token_embedding.embeddings
    weights = table.numpy()
    weights[9] = 1e38
    table.assign(weights)
    export_segments(model, tmp_path / "bundle", preprocessor, serving=True)
    loaded = tf.saved_model.load(str(tmp_path / "bundle" / SERVING))
    text = texts_of([preprocessor.vocabulary[9], "dull"])
    received = loaded.signatures["serving_default"](text=text)
    assert received["label_id"][0] == -1
    assert received["label"][0] == b""
    assert received["uncertainty"][0] == 1.0
    assert not received["probabilities"][0].numpy().any()
    assert received["label"][1].numpy() == b"%d" % received["label_id"][1]
    np.testing.assert_allclose(
        received["probabilities"][1].numpy().sum(), 1.0, rtol=1e-6
    )


_PLAIN = """
import sys
import numpy as np
import tensorflow as tf
import tensorflow_text

bundle, output = sys.argv[1:]
loaded = tf.saved_model.load(bundle)
answers = loaded.signatures["serving_default"](text=tf.constant(["a", ""]))
np.savez(output, **{k: v.numpy() for k, v in answers.items() if k != "label"})
names = {x.split(".")[0] for x in sys.modules}
assert "fastbert_tf" not in names
"""


@pytest.mark.slow
def test_it_runs_where_only_tensorflow_and_tensorflow_text_are_imported(
    served_bundle: pathlib.Path, signatures: Any, tmp_path: pathlib.Path
) -> None:
    folder, output = str(served_bundle / SERVING), tmp_path / "answers.npz"
    command = [sys.executable, "-c", _PLAIN, folder, str(output)]
    subprocess.run(command, check=True, cwd=tmp_path)
    expected = signatures["serving_default"](text=texts_of(["a", ""]))
    with np.load(output) as received:
        for name in received:
            np.testing.assert_array_equal(received[name], expected[name])


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_holds_the_weights_once(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path, precision: str
) -> None:
    model = wide_model(8192)
    bundle = tmp_path / "bundle"
    export_segments(
        model,
        bundle,
        preprocessor,
        precision=precision,
        serving=True,
    )
    own = model.count_params() * (2 if precision == "bfloat16" else 4)
    files = content(bundle / SERVING)
    assert own < sum(map(len, files.values())) < 1.05 * own + 2_000_000
    assert read_bundle_manifest(bundle).has_serving


@pytest.mark.slow
def test_a_bundle_of_pairs_takes_pairs_alone(
    preprocessor: TextPreprocessor, tmp_path: pathlib.Path
) -> None:
    model = random_model(num_hidden_layers=1)
    bundle = tmp_path / "bundle"
    export_segments(model, bundle, preprocessor, pairs=True, serving=True)
    signatures = tf.saved_model.load(str(bundle / SERVING)).signatures
    assert "pairs" not in signatures
    texts, pairs = texts_of(["a", "dull"]), texts_of(["film", "plot"])
    answers = signatures["serving_default"](text=texts, text_b=pairs)
    examples = [example(text="a", text_b="film")]
    received = signatures["classify"](inputs=texts_of(examples))
    np.testing.assert_allclose(
        received["scores"][0], answers["probabilities"][0], **tolerance()
    )
    with pytest.raises(InvalidArgument, match="same number of rows"):
        signatures["serving_default"](text=texts, text_b=pairs[:1])
    with pytest.raises(InvalidArgument, match="text_b"):
        signatures["classify"](inputs=texts_of([example(text="a")]))
