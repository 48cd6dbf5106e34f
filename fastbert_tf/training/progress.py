"""Progress bar and per-epoch logs of training."""

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import keras

_EXIT_ACCURACY = re.compile(r"(val_)?exit_(\d+)_accuracy")


class Progress(keras.callbacks.ProgbarLogger):
    """Keras' progress bar, with the exits on a line of their own.

    Twelve exits, for training and dev, would run a bar over several lines:
    they are left out of it and printed as one row of percentages an epoch.
    Without a terminal there is one line an epoch and no bar.
    """

    def set_params(self, params: dict[str, Any]) -> None:
        verbose = 1 if sys.stdout.isatty() else 2
        super().set_params({**params, "verbose": verbose})

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, _without_exits(logs))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, _without_exits(logs))
        row = exit_accuracy_row(logs or {})
        if row:
            print(row, flush=True)


def log_callbacks(
    log_dir: str, stage: str, tensorboard: bool = False
) -> list[keras.callbacks.Callback]:
    """Callbacks that write `<log_dir>/<stage>.csv`, one row an epoch.

    Args:
        log_dir: str, made if it is not there.
        stage: str, `"stage1"` or `"stage2"`.
        tensorboard: bool; also event files in `<log_dir>/<stage>/`.

    Raises:
        ValueError: TensorBoard is asked for and not installed.
    """
    if tensorboard and not importlib.util.find_spec("tensorboard"):
        raise ValueError(
            "TensorBoard logs were asked for. Received: no package "
            "`tensorboard`. Run `pip install 'fastbert-tf[tensorboard]'`."
        )
    folder = Path(log_dir)
    folder.mkdir(parents=True, exist_ok=True)
    callbacks = [keras.callbacks.CSVLogger(str(folder / f"{stage}.csv"))]
    if tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(str(folder / stage)))
    return callbacks


def exit_accuracy_row(logs: dict[str, Any]) -> str:
    """The accuracy of every exit in percent, of dev if it was measured."""
    found = {"val_": [], "": []}
    for name, value in logs.items():
        match = _EXIT_ACCURACY.fullmatch(name)
        if match:
            found[match[1] or ""].append((int(match[2]), float(value)))
    for prefix, title in (("val_", "dev"), ("", "train")):
        if found[prefix]:
            values = [f"{100 * v:.1f}" for _, v in sorted(found[prefix])]
            return f"  {title} accuracy % of M0..: {' '.join(values)}"
    return ""


def _without_exits(logs: Any) -> Any:
    if not logs:
        return logs
    return {k: v for k, v in logs.items() if not _EXIT_ACCURACY.fullmatch(k)}
