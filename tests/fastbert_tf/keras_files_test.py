"""`model.save("m.keras")` and `load_model`, which is given no classes."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from fastbert_tf import FastBertClassifier, SelfDistiller
from fastbert_tf.training.optimization import adamw

from ..architecture_test import ROOT
from ..tiny_models import random_model, tiny_inputs, toy_rows, values

_READER = """
import sys, numpy as np
import fastbert_tf, keras
model = keras.models.load_model(sys.argv[1])
inputs = dict(np.load(sys.argv[2]))
fitted = {w.path: w.numpy() for w in model.optimizer.variables}
np.savez(sys.argv[3], logits=model.exit_logits(inputs), **fitted)
"""


def trained() -> FastBertClassifier:
    """Compiled, and one step of stage 1 further."""
    model = random_model(num_hidden_layers=2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(adamw(1e-2, 10), loss, run_eagerly=True)
    model.train_on_batch(*toy_rows(8))
    return model


@pytest.fixture(scope="module")
def distiller() -> SelfDistiller:
    """Both stages done, a step each."""
    distiller = SelfDistiller(trained(), "reverse_kl", temperature=2.0)
    distiller.compile(keras.optimizers.AdamW(1e-2), run_eagerly=True)
    distiller.train_on_batch(toy_rows(8)[0])
    return distiller


def reloaded(model: keras.Model, folder: Path) -> keras.Model:
    model.save(folder / "m.keras")
    return keras.models.load_model(folder / "m.keras")


def assert_same(left: keras.Model, right: keras.Model) -> None:
    np.testing.assert_equal(values(left.weights), values(right.weights))
    states = [values(x.optimizer.variables) for x in (left, right)]
    np.testing.assert_equal(*states)
    assert trainable(left) == trainable(right)


def trainable(model: keras.Model) -> list[str]:
    return [weight.path for weight in model.trainable_weights]


@pytest.mark.slow
def test_another_process_loads_the_compiled_model(
    distiller: SelfDistiller, tmp_path: Path
) -> None:
    paths = [tmp_path / x for x in ("m.keras", "inputs.npz", "answers.npz")]
    model, inputs = distiller.model, tiny_inputs()
    model.save(paths[0])
    np.savez(paths[1], **inputs)
    command = [sys.executable, "-c", _READER, *map(str, paths)]
    subprocess.run(command, check=True, cwd=ROOT)
    answers = dict(np.load(paths[2]))
    logits = answers.pop("logits")
    np.testing.assert_array_equal(logits, model.exit_logits(inputs))
    np.testing.assert_equal(answers, values(model.optimizer.variables))


def test_a_model_after_both_stages_is_as_it_was(
    distiller: SelfDistiller, tmp_path: Path
) -> None:
    copy = reloaded(distiller.model, tmp_path)
    assert_same(copy, distiller.model)
    assert [x.trainable for x in copy.exit_classifiers] == [False, True]
    copy.train_on_batch(*toy_rows(8))


def test_parts_that_were_frozen_and_freed_stay_so(tmp_path: Path) -> None:
    model = random_model(num_hidden_layers=2)
    model.embeddings.trainable = False
    model.exit_classifiers[0].trainable = True
    copy = reloaded(model, tmp_path)
    assert trainable(copy) == trainable(model)
    assert not copy.embeddings.trainable


def test_a_distiller_is_a_keras_file_too(
    distiller: SelfDistiller, tmp_path: Path
) -> None:
    copy = reloaded(distiller, tmp_path)
    assert_same(copy, distiller)
    assert copy.get_config() == distiller.get_config()
    copy.train_on_batch(toy_rows(8)[0])


def test_the_configuration_is_plain_json() -> None:
    config = random_model().get_config()["config"]
    assert json.loads(json.dumps(config)) == config


def test_a_file_of_0_1_loads(tmp_path: Path) -> None:
    model = trained()
    model.save(tmp_path / "new.keras")
    old = tmp_path / "old.keras"
    with zipfile.ZipFile(tmp_path / "new.keras") as new:
        with zipfile.ZipFile(old, "w") as archive:
            for name in new.namelist():
                archive.writestr(name, as_of_0_1(name, new.read(name)))
    assert_same(keras.models.load_model(old), model)


def as_of_0_1(name: str, data: bytes) -> bytes:
    """The description without our package's name and the frozen parts."""
    if name != "config.json":
        return data
    fields = json.loads(data.replace(b"fastbert_tf>", b""))
    del fields["config"]["frozen"]
    return json.dumps(fields).encode()
