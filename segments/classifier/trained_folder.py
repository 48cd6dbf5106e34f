"""The folder of a trained model, told from what else a path may be."""

from __future__ import annotations

import os

from fastbert_tf.checkpoints import MANIFEST_FILE, fetch


def trained_folder(path: str | os.PathLike[str]) -> str:
    """The folder of a trained model, fetched if `path` is a hub name.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: it is something else.
    """
    folder = fetch(path)
    if os.path.isfile(os.path.join(folder, MANIFEST_FILE)):
        return folder
    if os.path.isfile(os.path.join(folder, "manifest.json")):
        raise ValueError(
            f"{path} is a bundle. Expected: the folder of a trained model. "
            "Pass it to `fastbert_tf.export.load_classifier`."
        )
    if not os.path.isdir(folder):
        raise ValueError(
            f"{path} is a file. Expected: the folder of a trained model, as "
            "`save_pretrained` writes it. Make a model of the file with "
            "`FastBertClassifier.from_pretrained`, and save that."
        )
    raise ValueError(
        f"{path} holds no trained FastBERT: there is no {MANIFEST_FILE}, so "
        "its exit classifiers would be random. Train it first, with "
        "`TextClassifier.fit(texts, labels, checkpoint)` or fastbert-train."
    )
