"""Every golden gives the answers that were written beside it."""

import pathlib
import shutil

import numpy as np
import pytest

from fastbert_tf import checkpoints
from fastbert_tf.model import FastBertClassifier

GOLDENS = pathlib.Path(__file__).parents[2] / "goldens"
TOLERANCE = 1e-5
_INPUTS = ("token_ids", "token_type_ids", "padding_mask")


def load(name):
    """The model of a golden, its inputs and what is expected."""
    folder = GOLDENS / name
    with np.load(folder / "expected.npz") as file:
        expected = dict(file)
    inputs = {key: expected.pop(key) for key in _INPUTS}
    path, config_path = str(folder), None
    if name == "uer":
        pytest.importorskip("torch", reason="`.bin` files are PyTorch's")
        path, config_path = str(folder / "fastbert.bin"), folder / "sizes.json"
    model = FastBertClassifier.from_pretrained(path, config_path=config_path)
    return model, inputs, expected


@pytest.mark.parametrize("name", ["huggingface", "google"])
def test_the_hidden_states_of_an_encoder_are_as_expected(name):
    model, inputs, expected = load(name)
    is_real = inputs["padding_mask"] == 1
    received = np.stack(
        [state.numpy() for state in model.block_outputs(inputs)]
    )
    np.testing.assert_allclose(
        received[:, is_real],
        expected["hidden_states"][:, is_real],
        atol=TOLERANCE,
        rtol=0,
    )


@pytest.mark.parametrize("name", ["uer", "fastbert"])
def test_the_logits_of_every_exit_are_as_expected(name):
    model, inputs, expected = load(name)
    np.testing.assert_allclose(
        model.exit_logits(inputs),
        expected["exit_logits"],
        atol=TOLERANCE,
        rtol=0,
    )


def test_format_version_1_keeps_its_labels():
    manifest = checkpoints.read_manifest(str(GOLDENS / "fastbert"))
    assert manifest.labels == ["1", "2", "3", "4", "fünf"]


@pytest.mark.parametrize("name", ["huggingface", "google", "uer", "fastbert"])
def test_a_golden_stays_small(name):
    sizes = [path.stat().st_size for path in (GOLDENS / name).rglob("*")]
    assert sum(sizes) < 100_000


def test_a_golden_is_read_from_anywhere(tmp_path):
    copied = shutil.copytree(GOLDENS / "fastbert", tmp_path / "elsewhere")
    assert checkpoints.read_checkpoint(copied).has_exit_classifiers
