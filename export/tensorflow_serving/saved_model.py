"""The whole model as one SavedModel, for TensorFlow Serving to run."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from fastbert_tf import (
    INPUT_NAMES,
    INVALID_LABEL,
    FastBertConfig,
    TextPreprocessor,
    speed_thresholds,
)
from fastbert_tf.segments import Outputs, PooledNetwork, Pools
from fastbert_tf.segments.backends import Parts

from ..bundle.manifest import Usage
from ..bundle.serving_signatures import (
    CLASSIFY,
    SECOND_TEXT,
    SPEED,
    TEXT,
    serving_signatures,
)
from .warmup import write_warmup

_CLASSIFY_METHOD = "tensorflow/serving/classify"


def save_serving(
    parts: Sequence[Parts],
    config: FastBertConfig,
    preprocessor: TextPreprocessor,
    labels: Sequence[str] | None,
    usage: Usage,
    folder: str,
) -> None:
    """Writes a SavedModel that answers texts, with its warm-up requests.

    `serving_signatures` says what it takes. `label_id` is -1 where the logits
    are not finite at any exit: the label is empty there, the probabilities
    are 0 and the uncertainty is 1, because JSON has no NaN. `speed` outside
    [0, 1] and ids without an embedding are an `InvalidArgumentError`, full
    pools an `UnavailableError`. To load it, import `tensorflow_text` before.

    The weights are variables, of the precision of `parts`, and the graphs
    compute in it on any processor. All signatures share them: as constants
    they made a call a fifth faster, and the process three times as large.

    Args:
        parts: list of `Parts`, the segments.
        config: `FastBertConfig`.
        preprocessor: `TextPreprocessor`; no row is longer than it makes them.
        labels: C class names or None; then a label is its number.
        usage: `Usage`.
        folder: of the SavedModel.
    """
    module = tf.Module()
    module.preprocessor = preprocessor  # Holds what the functions capture.
    module.weights = [
        [tf.Variable(x.value.numpy(), name=x.path) for x in part.weights]
        for part in parts
    ]
    network = PooledNetwork(
        parts,
        module.weights,
        config,
        preprocessor.sequence_length,
        name=uuid.uuid4().hex,
        pools=Pools(),
    )
    module.network = network.function
    answering = _Answering(network, config, preprocessor, labels, usage)
    table = serving_signatures(config.num_classes, usage.pairs)
    signatures = {
        name: answering.function(name, signature["inputs"])
        for name, signature in table.items()
    }
    module.answering = list(signatures.values())
    tf.saved_model.save(module, folder, signatures=signatures)
    _set_method(folder, CLASSIFY, _CLASSIFY_METHOD)
    write_warmup(folder, table, network.lengths)


class _Answering:
    """From the inputs of a signature to its outputs."""

    def __init__(
        self,
        network: PooledNetwork,
        config: FastBertConfig,
        preprocessor: TextPreprocessor,
        labels: Sequence[str] | None,
        usage: Usage,
    ) -> None:
        self._network = network
        self._config = config
        self._preprocessor = preprocessor
        self._labels = list(labels or map(str, range(config.num_classes)))
        self._usage = usage

    def function(self, name: str, inputs: Mapping[str, Any]) -> Any:
        """The `tf.function` of a signature."""
        specs = [
            tf.TensorSpec(x["shape"], x["dtype"], key)
            for key, x in inputs.items()
        ]
        answer = self._classify if name == CLASSIFY else self._answer

        def run(*arguments: Any) -> dict[str, Any]:
            return answer(dict(zip(inputs, arguments, strict=True)))

        return tf.function(run, input_signature=specs, autograph=False)

    def _answer(self, given: dict[str, Any]) -> dict[str, Any]:
        if TEXT not in given:
            return self._answers(self._run(given, given))
        texts = [given[x] for x in (TEXT, SECOND_TEXT) if x in given]
        inputs, truncated = self._preprocessor.encode(*texts)
        outputs = self._run(inputs, given)
        return {**self._answers(outputs), "truncated": truncated}

    def _classify(self, given: dict[str, Any]) -> dict[str, Any]:
        (examples,) = given.values()
        features = {
            TEXT: tf.io.FixedLenFeature([], tf.string),
            SECOND_TEXT: tf.io.VarLenFeature(tf.string),
            SPEED: tf.io.FixedLenFeature([], tf.float32, self._usage.speed),
        }
        if self._usage.pairs:
            features[SECOND_TEXT] = features[TEXT]
        parsed = tf.io.parse_example(examples, features)
        if not self._usage.pairs:
            second = parsed.pop(SECOND_TEXT).values
            none = _check(
                tf.size(second) == 0,
                "`text_b` must be left out: these are single texts.",
                tf.size(second),
            )
            with tf.control_dependencies([none]):
                parsed[TEXT] = tf.identity(parsed[TEXT])
        answers = self._answer(parsed)
        scores = answers["probabilities"]
        return {
            "classes": tf.broadcast_to(
                tf.constant(self._labels), tf.shape(scores)
            ),
            "scores": scores,
        }

    def _run(self, inputs: dict[str, Any], given: dict[str, Any]) -> Outputs:
        """The network on inputs that are sound, or an error."""
        num_rows = tf.shape(inputs[INPUT_NAMES[0]])[0]
        default = tf.fill([num_rows], tf.constant(self._usage.speed))
        speed = given.get(SPEED, default)
        checks = [*self._check_inputs(inputs), *_check_speed(speed, num_rows)]
        # Before the pools, where the rows of other callers are beside them.
        with tf.control_dependencies(checks):
            arguments = [tf.identity(inputs[x]) for x in INPUT_NAMES]
            thresholds = speed_thresholds(speed, self._config.num_hidden_layers)
            return Outputs(*self._network.function(*arguments, thresholds))

    def _check_inputs(self, inputs: dict[str, Any]) -> list[Any]:
        ids, types, mask = (inputs[x] for x in INPUT_NAMES)
        longest = self._preprocessor.sequence_length
        same = tf.reduce_all(tf.shape(ids) == tf.shape(types))
        same &= tf.reduce_all(tf.shape(ids) == tf.shape(mask))
        in_range = functools.partial(_check_range, rows=inputs)
        config = self._config
        return [
            _check(same, "Inputs must have one shape [B, S].", tf.shape(ids)),
            _check(
                tf.shape(ids)[1] <= longest,
                f"Rows must be at most {longest} tokens long.",
                tf.shape(ids)[1],
            ),
            in_range("token_ids", config.vocab_size),
            in_range("token_type_ids", config.type_vocab_size),
            in_range("padding_mask", 2),
            _check(
                tf.reduce_all(tf.reduce_any(mask > 0, axis=1)),
                "Every row must have a real token, also for an empty text.",
                tf.shape(mask),
            ),
        ]

    def _answers(self, outputs: Outputs) -> dict[str, Any]:
        logits = outputs.logits
        is_valid = tf.reduce_all(tf.math.is_finite(logits), axis=1)
        best = tf.argmax(logits, axis=1, output_type=tf.int32)
        place = tf.where(is_valid, best, self._config.num_classes)
        valid_rows = is_valid[:, None]
        return {
            "label": tf.gather(tf.constant([*self._labels, ""]), place),
            "label_id": tf.where(is_valid, best, INVALID_LABEL),
            "probabilities": tf.where(valid_rows, tf.nn.softmax(logits), 0.0),
            "exit_index": outputs.exit_index,
            "uncertainty": tf.where(is_valid, outputs.uncertainty, 1.0),
        }


def _check_speed(speed: Any, num_rows: Any) -> list[Any]:
    return [
        _check(
            tf.size(speed) == num_rows,
            "`speed` must have one value a row.",
            tf.size(speed),
        ),
        _check(
            tf.reduce_all((speed >= 0) & (speed <= 1)),
            "`speed` must be in [0, 1]; 0 always runs every segment.",
            speed,
        ),
    ]


def _check_range(name: str, size: int, rows: Mapping[str, Any]) -> Any:
    values = rows[name]
    return _check(
        tf.reduce_all((values >= 0) & (values < size)),
        f"`{name}` must be in [0, {size}).",
        values,
    )


def _check(is_right: Any, expected: str, received: Any) -> Any:
    """An operation that fails with `InvalidArgumentError` and a message."""
    return tf.debugging.Assert(is_right, [expected, "Received:", received])


def _set_method(folder: str, signature: str, method: str) -> None:
    """Says which of TensorFlow Serving's calls a signature is for.

    `tf.saved_model.save` knows one, Predict.
    """
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(
        folder
    )
    updater.replace_method_name(signature, method)
    updater.save()
