import csv
import pathlib

import keras
import numpy as np
import pytest

from fastbert_tf.training import progress
from fastbert_tf.training.progress import (
    Progress,
    exit_accuracy_row,
    log_callbacks,
)


def fitted(callback: keras.callbacks.Callback) -> None:
    """One epoch of a model of one weight."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    rows = np.ones((3, 2), "float32"), np.ones((3, 1), "float32")
    model.fit(*rows, epochs=2, verbose=0, callbacks=[callback])


def test_exits_are_in_order_of_their_number() -> None:
    logs = {f"exit_{i}_accuracy": i / 100 for i in (10, 2, 0)}
    assert exit_accuracy_row(logs).endswith(": 0.0 2.0 10.0")


def test_dev_accuracy_goes_before_that_of_training() -> None:
    logs = {"exit_0_accuracy": 0.25, "val_exit_0_accuracy": 0.5}
    assert exit_accuracy_row(logs) == "  dev accuracy % of M0..: 50.0"


def test_without_dev_the_row_says_train() -> None:
    row = exit_accuracy_row({"exit_0_accuracy": 0.25})
    assert row == "  train accuracy % of M0..: 25.0"


def test_stage_one_has_no_row_of_exits() -> None:
    assert exit_accuracy_row({"loss": 1.0, "accuracy": 0.5}) == ""


def test_without_a_terminal_an_epoch_is_a_line(
    capsys: pytest.CaptureFixture,
) -> None:
    fitted(Progress())
    output = capsys.readouterr().out
    assert output.count("loss:") == 2
    assert "\r" not in output
    assert "\b" not in output


def test_exits_are_not_in_the_bar(capsys: pytest.CaptureFixture) -> None:
    bar = Progress()
    bar.set_params({"epochs": 1, "steps": 1})
    bar.on_train_begin()
    bar.on_epoch_begin(0)
    bar.on_train_batch_end(0, {"loss": 1.0, "exit_0_accuracy": 0.25})
    bar.on_epoch_end(0, {"loss": 1.0, "exit_0_accuracy": 0.25})
    output = capsys.readouterr().out
    assert "exit_0_accuracy" not in output
    assert "  train accuracy % of M0..: 25.0\n" in output


def test_csv_has_a_row_an_epoch(tmp_path: pathlib.Path) -> None:
    (callback,) = log_callbacks(str(tmp_path / "logs"), "stage1")
    fitted(callback)
    with open(tmp_path / "logs" / "stage1.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert float(rows[1]["loss"]) >= 0


def test_tensorboard_that_is_not_installed_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="no package `tensorboard`"):
        log_callbacks(str(tmp_path), "stage1", tensorboard=True)
    assert not list(tmp_path.iterdir())
