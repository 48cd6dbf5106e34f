"""Training one model on several replicas, through Keras' own `fit`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf


@contextlib.contextmanager
def on_replicas(model: keras.Model) -> Iterator[None]:
    """Lets a model's `fit` and `evaluate` use the replicas it was made on.

    A model made and compiled under the scope of a `tf.distribute` strategy
    takes on the methods of `ReplicatedTraining` until the end; any other
    model is left alone.

    Args:
        model: compiled Keras model.

    Example:

    ```python
    with on_replicas(model):
        model.fit(train, epochs=3)
    ```
    """
    plain = type(model)
    # One replica too: a cluster of one worker is still one to Keras.
    if model._distribute_strategy is None:
        yield
        return
    bases = (ReplicatedTraining, plain)
    object.__setattr__(model, "__class__", type(plain.__name__, bases, {}))
    try:
        yield
    finally:
        object.__setattr__(model, "__class__", plain)


class ReplicatedTraining:
    """Methods of a Keras model that train on several replicas as on one.

    Every replica takes its own rows of every batch, the loss is the mean over
    all rows of the batch, and gradients and metrics are summed over the
    replicas. Batches may have any number of rows, also fewer than there are
    replicas. Without dropout the weights and results are those of one device;
    dropout draws the same masks on every replica.

    This goes for `MirroredStrategy` and for `MultiWorkerMirroredStrategy`,
    with which Keras' own functions of a step fail. There every worker must
    be given the same batches in the same order.

    Keras itself rebatches and shards a dataset, and weighs replicas alike
    whatever the rows they hold; see keras-team/keras issue 20329.
    """

    def fit(
        self, x: Any, *args: Any, validation_data: Any = None, **kwargs: Any
    ) -> Any:
        return super().fit(
            self._whole(x),
            *args,
            validation_data=self._whole(validation_data),
            **kwargs,
        )

    def evaluate(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return super().evaluate(self._whole(x), *args, **kwargs)

    def train_step(self, data: Any) -> dict[str, Any]:
        own = _own_rows(data)
        share = _num_rows(own) / _num_rows(data)
        with tf.GradientTape() as tape:
            loss, results = self._judge(own, training=True)
            summed = loss * tf.cast(share, loss.dtype)
            summed = self.optimizer.scale_loss(summed)
        weights = self.trainable_weights
        self.optimizer.apply(tape.gradient(summed, weights), weights)
        return results

    def test_step(self, data: Any) -> dict[str, Any]:
        _, results = self._judge(_own_rows(data), training=False)
        return results

    def _judge(
        self, data: Any, training: bool
    ) -> tuple[tf.Tensor, dict[str, Any]]:
        """The mean loss of these rows, 0 of none, and the metrics so far."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=training)
        loss = self.compute_loss(x, y, y_pred, sample_weight, training)
        # Keras divides by the replicas, and sums no rows to an empty vector.
        num_replicas = self.distribute_strategy.num_replicas_in_sync
        loss = tf.reduce_sum(loss * num_replicas)
        self._loss_tracker.update_state(loss, sample_weight=_num_rows(data))
        return loss, self.compute_metrics(x, y, y_pred, sample_weight)

    def make_train_function(self, force: bool = False) -> None:
        if self.train_function is None or force:
            self.train_function = self._on_all_replicas(self.train_step)

    def make_test_function(self, force: bool = False) -> None:
        if self.test_function is None or force:
            self.test_function = self._on_all_replicas(self.test_step)

    def _on_all_replicas(
        self, step: Callable[[Any], dict[str, Any]]
    ) -> Callable[[Any], dict[str, Any]]:
        """`step` on the next batch of an iterator.

        Its results are those of this worker's first replica, for a look on
        the way, but for the loss, which all of them must judge alike: a
        result of all is an exchange of its own. Those of an epoch are exact.
        """
        if self.steps_per_execution != 1:
            raise ValueError(
                "Under a strategy a step is taken at a time. Received: "
                f"steps_per_execution={self.steps_per_execution}. Leave it "
                "out."
            )
        strategy = self.distribute_strategy

        def run(iterator: Any) -> dict[str, Any]:
            results = strategy.run(step, args=(iterator.get_next(),))
            first = {
                name: strategy.experimental_local_results(value)[0]
                for name, value in results.items()
            }
            return {**first, "loss": self._loss_tracker.result()}

        if not self.run_eagerly:
            run = tf.function(run, autograph=False)
        return run

    def _whole(self, data: Any) -> Any:
        if data is None:
            return data
        if not isinstance(data, tf.data.Dataset):
            raise TypeError(
                "Under a strategy training takes a `tf.data.Dataset` of "
                f"batches. Received: {type(data).__name__}. Use "
                "`load_dataset`, or `from_tensor_slices(...).batch(...)`."
            )
        return _WholeBatches(data)

    def _maybe_symbolic_build(
        self, iterator: Any = None, data_batch: Any = None
    ) -> None:
        # Keras takes a batch for its shapes, and with it an epoch's order.
        if iterator is not None:
            dataset = iterator.data_adapter.get_tf_dataset()
            iterator, data_batch = None, dataset.element_spec
        super()._maybe_symbolic_build(iterator, data_batch)


class _WholeBatches(tf.data.Dataset, tf.distribute.DistributedDataset):
    """A dataset that Keras gives to every replica as it is."""

    def __init__(self, dataset: tf.data.Dataset) -> None:
        self._dataset = dataset
        super().__init__(dataset._variant_tensor)

    def _inputs(self) -> list[tf.data.Dataset]:
        return [self._dataset]

    @property
    def element_spec(self) -> Any:
        return self._dataset.element_spec


def _own_rows(data: Any) -> Any:
    """The rows of a batch that are for this replica; may be none."""
    context = tf.distribute.get_replica_context()
    index = context.replica_id_in_sync_group
    count = context.num_replicas_in_sync
    num_rows = _num_rows(data)
    start, end = num_rows * index // count, num_rows * (index + 1) // count
    return tf.nest.map_structure(
        lambda tensor: None if tensor is None else tensor[start:end], data
    )


def _num_rows(data: Any) -> tf.Tensor:
    return tf.shape(tf.nest.flatten(data)[0])[0]
