"""What LoadGen drives: who is asked for what, and that all are answered."""

import ctypes
import threading
import types

import numpy as np
import pytest

from fastbert_tf.segments.benchmarks.loadgen_systems import (
    BatchingSystem,
    ConcurrentSystem,
    DirectSystem,
)


class FakeLoadgen:
    """Keeps what it is told, reading the labels while it may."""

    def __init__(self):
        self.labels = {}

    def QuerySampleResponse(self, query_id, data, size):
        assert size == 4
        return query_id, data

    def QuerySamplesComplete(self, responses):
        for query_id, data in responses:
            assert query_id not in self.labels
            self.labels[query_id] = ctypes.c_int32.from_address(data).value


def queries_of(rows):
    return [types.SimpleNamespace(id=1000 + row, index=row) for row in rows]


def labels_are_rows(rows):
    return rows.astype(np.int32)


def fails(rows):
    raise RuntimeError("no answer to that")


def test_a_query_is_answered_by_one_call():
    loadgen, calls = FakeLoadgen(), []

    def predict(rows):
        calls.append(rows.tolist())
        return labels_are_rows(rows)

    with DirectSystem(loadgen, predict) as system:
        system.issue(queries_of([7, 3, 7 + 1]))
    assert calls == [[7, 3, 8]]
    assert loadgen.labels == {1007: 7, 1003: 3, 1008: 8}


def test_all_that_waits_is_answered_together_up_to_the_limit():
    loadgen, sizes = FakeLoadgen(), []

    def predict(rows):
        sizes.append(len(rows))
        return labels_are_rows(rows)

    system = BatchingSystem(loadgen, predict, max_batch_size=4)
    for query in queries_of(range(10)):
        system.issue([query])
    with system:
        pass
    assert sizes == [4, 4, 2]
    assert loadgen.labels == {1000 + row: row for row in range(10)}


@pytest.mark.parametrize("limit", [None, 3])
def test_an_error_is_kept_and_the_rest_is_answered_without_asking(limit):
    loadgen, calls = FakeLoadgen(), []

    def predict(rows):
        calls.append(rows)
        return fails(rows)

    if limit is None:
        system = DirectSystem(loadgen, predict)
    else:
        system = BatchingSystem(loadgen, predict, limit)
    with system:
        system.issue(queries_of([1]))
        system.issue(queries_of([2]))
    assert str(system.error) == "no answer to that"
    assert len(calls) == 1
    assert loadgen.labels == {1001: -1, 1002: -1}


def test_a_wrong_number_of_answers_is_an_error():
    system = DirectSystem(
        FakeLoadgen(), lambda rows: labels_are_rows(rows[:-1])
    )
    system.issue(queries_of([1, 2]))
    with pytest.raises(ValueError, match="1 answers to 2 rows"):
        raise system.error


def test_rows_are_answered_one_by_one_as_many_at_once_as_threads():
    loadgen, together = FakeLoadgen(), threading.Barrier(3, timeout=10)

    def predict(rows):
        together.wait()
        return labels_are_rows(rows)

    with ConcurrentSystem(loadgen, predict, num_threads=3) as system:
        system.issue(queries_of(range(6)))
    assert system.error is None
    assert loadgen.labels == {1000 + row: row for row in range(6)}
