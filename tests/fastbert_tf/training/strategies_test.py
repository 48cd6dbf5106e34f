"""What `--strategy` and `TF_CONFIG` may say."""

import json

import pytest
import tensorflow as tf

from fastbert_tf.training.strategies import (
    check_cluster,
    is_chief,
    lost_workers_told,
    make_strategy,
)


def config(**changes: object) -> str:
    whole = {
        "cluster": {"worker": ["host0:12345", "[::1]:12346"]},
        "task": {"type": "worker", "index": 1},
    }
    return json.dumps({**whole, **changes})


def test_none_is_one_device_that_writes() -> None:
    strategy = make_strategy("none", None)
    assert strategy.num_replicas_in_sync == 1
    assert is_chief(strategy)


def test_mirrored_takes_every_device_of_the_machine() -> None:
    strategy = make_strategy("mirrored", None)
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    devices = tf.config.list_logical_devices(kind)
    assert strategy.num_replicas_in_sync == len(devices)
    assert is_chief(strategy)


@pytest.mark.parametrize(
    "text",
    [
        config(),
        config(
            cluster={"chief": ["a:1"], "worker": ["b:2"]},
            task={"type": "chief", "index": 0},
        ),
    ],
)
def test_a_place_among_workers_is_taken(text: str) -> None:
    check_cluster(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "it is not set"),
        ("", "it is not set"),
        ("{", "it is not JSON"),
        ("[]", "its cluster must have workers"),
        (config(cluster={}), "its cluster must have workers"),
        (config(cluster={"ps": ["a:1"]}), "its cluster must have workers"),
        (config(cluster={"worker": []}), "its cluster must list addresses"),
        (config(cluster={"worker": "a:1"}), "its cluster must list addresses"),
        (config(cluster={"worker": ["a"]}), "its address 'a' is not host:port"),
        (config(task={}), "its task type None is not one of"),
        (config(task={"type": "chief", "index": 0}), "task type 'chief'"),
        (config(task={"type": "worker"}), "its task index None"),
        (config(task={"type": "worker", "index": 2}), "its task index 2"),
        (config(task={"type": "worker", "index": -1}), "its task index -1"),
        (config(task={"type": "worker", "index": True}), "its task index True"),
    ],
)
def test_a_wrong_place_is_refused_before_waiting(
    text: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=rf"TF_CONFIG, and .*{message}"):
        make_strategy("multi_worker", text)


def test_a_worker_lost_is_told_as_one() -> None:
    with (
        pytest.raises(ConnectionError, match="has ended"),
        lost_workers_told(),
    ):
        raise tf.errors.UnavailableError(None, None, "Socket closed")


def test_other_errors_of_tensorflow_stay_as_they_are() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError), lost_workers_told():
        raise tf.errors.InvalidArgumentError(None, None, "a defect")
