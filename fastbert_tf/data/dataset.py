"""Labelled files as `tf.data` batches of model inputs.

A file is checked once, up front; its texts are then read again batch by
batch while the model trains, so that a file may be larger than memory and is
shuffled as a whole all the same.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ..text.preprocessor import Inputs, TextPreprocessor
from .row_index import RowIndex, index_rows
from .tables import TableReader

BUCKET_BOUNDARIES = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)


@dataclasses.dataclass(frozen=True)
class DatasetOptions:
    """What `load_dataset` takes beside its main arguments.

    Args:
        labelled: bool. False reads texts only; a `label` column is ignored.
        pairs: bool, optional. Whether rows are pairs of texts; by default
            the file decides.
        format: "tsv", "csv" or "jsonl", optional; by default the extension.
        bucket_boundaries: tuple of int, optional. The lengths that batches
            are padded to; the sequence length is always the last.
        max_bad_rows: int. So many rows that cannot be read are left out.
        bad_rows_path: path, needed with `max_bad_rows`; see `TableReader.rows`.
        first_epoch: int. The epoch that the first iteration stands for; set
            it to shuffle on as an interrupted run would have.
    """

    labelled: bool = True
    pairs: bool | None = None
    format: str | None = None
    bucket_boundaries: tuple[int, ...] | None = None
    max_bad_rows: int = 0
    bad_rows_path: str | os.PathLike | None = None
    first_epoch: int = 0


def load_dataset(
    path: str | os.PathLike,
    preprocessor: TextPreprocessor,
    batch_size: int = 32,
    shuffle: bool = False,
    seed: int | None = None,
    labels: list[str] | None = None,
    **options: Any,
) -> tf.data.Dataset:
    """Checks a file and streams it as batches.

    Without `shuffle` the rows keep the order of the file. With it, every
    iteration is a new epoch with a new order: rows are shuffled over the
    whole file, batches are cut from rows of like length, and the batches are
    shuffled. Two datasets with the same `seed` run through the same epochs.

    Every batch is padded to a bucket boundary, so that few shapes occur.
    Every row comes once an epoch, in ceil(rows / batch_size) batches, of
    which one at most is smaller; the dataset's cardinality says how many.

    Args:
        path: TSV, CSV or JSONL file, see `TableReader`.
        preprocessor: `TextPreprocessor`.
        batch_size: int.
        shuffle: bool.
        seed: int, optional. Without it every dataset has its own order.
        labels: list of str, optional. The class names in the order of their
            ids. Give those of the training file to any other file of the
            task; by default they are taken from this file.
        **options: fields of `DatasetOptions`.

    Returns:
        `tf.data.Dataset` of `(inputs, label)`, with the inputs of
        `TextPreprocessor` and label int32 `[B]`; of `inputs` alone when
        `labelled=False`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming file and line, if a row or a label is refused.

    Example:

    ```python
    labels = read_labels("train.tsv")
    train = load_dataset(
        "train.tsv", preprocessor, shuffle=True, seed=7, labels=labels
    )
    dev = load_dataset("dev.tsv", preprocessor, labels=labels)
    ```
    """
    options = DatasetOptions(**options)
    boundaries = bucket_boundaries(
        preprocessor.sequence_length, options.bucket_boundaries
    )
    _check_positive("batch_size", batch_size)
    index = index_rows(
        TableReader(path, options.format, options.labelled, options.pairs),
        labels if options.labelled else None,
        preprocessor if shuffle else None,
        options.max_bad_rows,
        options.bad_rows_path,
    )
    epochs = itertools.count(options.first_epoch)
    seed = np.random.SeedSequence(seed).entropy

    def batches() -> Iterator[tuple]:
        if not shuffle:
            return index.read(_cut(np.arange(index.num_rows), batch_size))
        rng = np.random.default_rng([seed, next(epochs)])
        buckets = np.searchsorted(boundaries, index.lengths)
        return index.read(shuffled_batches(buckets, batch_size, rng))

    return _stream(batches, index, preprocessor, boundaries).apply(
        tf.data.experimental.assert_cardinality(
            -(-index.num_rows // batch_size)
        )
    )


def bucket_boundaries(
    sequence_length: int, boundaries: tuple[int, ...] | None = None
) -> tuple[int, ...]:
    """The lengths that batches are padded to, the last being the longest."""
    if boundaries is None:
        boundaries = [b for b in BUCKET_BOUNDARIES if b < sequence_length]
    boundaries = tuple(boundaries)
    if boundaries[-1:] != (sequence_length,):
        boundaries += (sequence_length,)
    for low, high in itertools.pairwise((0, *boundaries)):
        if not low < high:
            raise ValueError(
                "`bucket_boundaries` must rise from 1 or more to at most the "
                f"sequence length {sequence_length}. Received: "
                f"bucket_boundaries={boundaries}. Leave them out for "
                f"{BUCKET_BOUNDARIES}."
            )
    return boundaries


def shuffled_batches(
    buckets: np.ndarray, batch_size: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Random batches of row numbers, each from one bucket where possible.

    A batch at the border of two buckets takes rows of both, so the number of
    batches is the same as without buckets, and the same in every epoch.

    Args:
        buckets: int `[N]`, the bucket of each row.
        batch_size: int.
        rng: random generator.
    """
    order = rng.permutation(len(buckets))
    order = order[np.argsort(buckets[order], kind="stable")]
    batches = _cut(order, batch_size)
    return [batches[place] for place in rng.permutation(len(batches))]


def _cut(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    return np.split(order, range(batch_size, len(order), batch_size))


def _stream(
    batches: Any,
    index: RowIndex,
    preprocessor: TextPreprocessor,
    boundaries: tuple[int, ...],
) -> tf.data.Dataset:
    num_texts = 2 if index.reader.pairs else 1
    signature = [tf.TensorSpec([None], tf.string)] * num_texts
    if index.labels:
        signature.append(tf.TensorSpec([None], tf.int32))

    def to_inputs(*columns: tf.Tensor) -> Any:
        inputs = preprocessor(*columns[:num_texts])
        inputs = pad_to_bucket(inputs, boundaries, preprocessor.pad_id)
        return (inputs, columns[num_texts]) if index.labels else inputs

    rows = tf.data.Dataset.from_generator(
        batches, output_signature=tuple(signature)
    )
    return rows.map(to_inputs, num_parallel_calls=tf.data.AUTOTUNE).prefetch(
        tf.data.AUTOTUNE
    )


def pad_to_bucket(
    inputs: Inputs, boundaries: tuple[int, ...], pad_id: int
) -> Inputs:
    """Inputs `[B, S]` widened to the next boundary."""
    length = tf.shape(inputs["token_ids"])[1]
    place = tf.searchsorted(tf.constant(boundaries), length[None])
    width = tf.gather(tf.constant(boundaries), place)[0]
    paddings = [[0, 0], [0, width - length]]
    return {
        name: tf.pad(
            value,
            paddings,
            constant_values=pad_id if name == "token_ids" else 0,
        )
        for name, value in inputs.items()
    }


def _check_positive(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"`{name}` must be an integer of 1 or more. Received: "
            f"{name}={value!r}. Pass for example 32."
        )
