"""Both stages on uneven batches, on the devices that a strategy names.

Run as a program with the arguments STRATEGY PATH, it has two logical CPUs and
leaves weights and histories in PATH, an `.npz`.
"""

import itertools
import os
import sys
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from fastbert_tf import FastBertClassifier
from fastbert_tf.training.replicas import on_replicas
from fastbert_tf.training.stages import (
    TrainingSettings,
    distill_students,
    train_backbone,
)
from fastbert_tf.training.strategies import make_strategy
from tests.tiny_models import randomize, take, tiny_config, toy_rows, values

SETTINGS = TrainingSettings(
    epochs=2,
    distill_epochs=2,
    learning_rate=3e-4,
    distill_learning_rate=3e-4,
)
BATCH_SIZES = (5, 1, 4)


def shuffled_dataset() -> tf.data.Dataset:
    """Batches of 5, 1 and 4 rows, others in every epoch."""
    inputs, labels = toy_rows(sum(BATCH_SIZES))
    epochs = itertools.count()

    def batches() -> Iterator[tuple]:
        order = np.random.default_rng(next(epochs)).permutation(len(labels))
        for rows in np.split(order, np.cumsum(BATCH_SIZES)[:-1]):
            yield take(inputs, rows), labels[rows]

    spec = {name: tf.TensorSpec([None, None], tf.int32) for name in inputs}
    return tf.data.Dataset.from_generator(
        batches, output_signature=(spec, tf.TensorSpec([None], tf.int32))
    ).apply(tf.data.experimental.assert_cardinality(len(BATCH_SIZES)))


def train_both_stages(strategy: tf.distribute.Strategy) -> dict:
    """Every weight afterwards, and every result of every epoch."""
    config = tiny_config(
        num_hidden_layers=2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with strategy.scope():
        model = FastBertClassifier(config)
    randomize(model, seed=3)
    train = shuffled_dataset()
    dev = tf.data.Dataset.from_tensor_slices(toy_rows(7, seed=1)).batch(3)
    histories = (
        train_backbone(model, train, dev, SETTINGS),
        distill_students(model, train, dev, SETTINGS),
        descend(model, train),
    )
    results = {
        f"stage {stage}: {name}": np.array(epochs)
        for stage, history in enumerate(histories, 1)
        for name, epochs in history.items()
    }
    return {**values(model.weights), **results}


def descend(
    model: FastBertClassifier, train: tf.data.Dataset
) -> dict[str, list[float]]:
    """An epoch whose steps are as long as the gradients, as AdamW's are not."""
    with model.distribute_strategy.scope():
        model.compile(
            keras.optimizers.SGD(1e-3),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            run_eagerly=True,
        )
    with on_replicas(model):
        return model.fit(train, shuffle=False, verbose=0).history


def main(name: str, path: str) -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    strategy = make_strategy(name, os.environ.get("TF_CONFIG"))
    assert strategy.num_replicas_in_sync == 2
    keras.utils.set_random_seed(7)
    np.savez(path, **train_both_stages(strategy))


if __name__ == "__main__":
    main(*sys.argv[1:])
