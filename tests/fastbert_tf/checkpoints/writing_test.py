import json
import logging
import os
import pathlib
import resource
import signal

import numpy as np
import pytest

from fastbert_tf import checkpoints
from fastbert_tf.config import FastBertConfig
from fastbert_tf.model import FastBertClassifier

from . import tiny

LABELS = ["bad", "poor", "fair", "good", "süß"]
_FILES = ("config.json", "fastbert.json", "model.safetensors", "vocab.txt")


class FakePreprocessor:
    """Saves one file, as a `TextPreprocessor` saves several."""

    def save(self, folder):
        with open(os.path.join(folder, "vocab.txt"), "w") as file:
            file.write("[PAD]\n[UNK]\n[CLS]\n[SEP]\n")
        return ["vocab.txt"]

    def config(self):
        return {"sequence_length": 7, "template": "bert", "do_lower_case": True}


def make_model(**changes):
    sizes = {**tiny.SIZES, "num_classes": 5, "classifier_hidden_size": 8}
    return FastBertClassifier(FastBertConfig.from_dict({**sizes, **changes}))


@pytest.fixture(scope="module")
def model():
    return make_model()


def save(model, folder):
    return tiny.save(
        model,
        folder,
        preprocessor=FakePreprocessor(),
        labels=LABELS,
        training={"stage_1": {"epochs": 3}},
    )


def content(folder):
    """Every file below `folder` with its bytes."""
    paths = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_saving_and_loading_is_bit_identical(model, tmp_path):
    folder = save(model, tmp_path / "model")
    loaded = FastBertClassifier.from_pretrained(folder)
    assert loaded.config == model.config
    names = zip(model.named_weights(), loaded.named_weights(), strict=True)
    assert all(ours == theirs for ours, theirs in names)
    for name, weight in model.named_weights().items():
        ours, theirs = weight.numpy(), loaded.named_weights()[name].numpy()
        assert np.array_equal(ours, theirs), name


def test_unusual_choices_survive(tmp_path):
    changes = {
        "hidden_act": "relu",
        "layer_norm_eps": 1e-5,
        "classifier_pooling": "max",
        "classifier_num_heads": 4,
        "hidden_dropout_prob": 0.0,
    }
    model = make_model(**changes)
    folder = save(model, tmp_path / "model")
    assert checkpoints.read_checkpoint(folder).config == model.config


def test_the_manifest_keeps_labels_preprocessing_and_training(model, tmp_path):
    manifest = checkpoints.read_manifest(save(model, tmp_path / "model"))
    assert manifest.labels == LABELS
    assert manifest.preprocessing == FakePreprocessor().config()
    assert manifest.training == {"stage_1": {"epochs": 3}}
    assert set(manifest.sha256) == set(_FILES) - {"fastbert.json"}


def test_the_origin_survives_saving_and_loading(tmp_path):
    source = tiny.write_huggingface(tmp_path / "tiny bert")
    model = FastBertClassifier.from_pretrained(source, 5, num_layers=6)
    folder = save(model, tmp_path / "model")
    assert checkpoints.read_checkpoint(folder).origin == {
        "format": "huggingface",
        "source": "tiny bert",
        "template": "bert",
        "block_repetition": 2,
    }


@pytest.mark.parametrize("name", ["with space", "ünïcode 模型", "a.b"])
def test_any_folder_name_works(model, tmp_path, name):
    folder = save(model, tmp_path / "new parent" / name)
    assert sorted(os.listdir(folder)) == sorted(_FILES)
    assert os.listdir(tmp_path / "new parent") == [name]


def test_an_old_fastbert_folder_is_replaced_whole(model, tmp_path):
    folder = save(model, tmp_path / "model")
    (tmp_path / "model" / "stale").write_text("x")
    other = make_model(num_hidden_layers=2)
    save(other, folder)
    assert sorted(os.listdir(folder)) == sorted(_FILES)
    assert checkpoints.read_checkpoint(folder).config == other.config


def test_an_empty_folder_is_filled(model, tmp_path):
    (tmp_path / "model").mkdir()
    assert len(os.listdir(save(model, tmp_path / "model"))) == len(_FILES)


def test_a_folder_of_something_else_is_left_alone(model, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="a folder with other contents"):
        save(model, tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_file_is_left_alone(model, tmp_path):
    (tmp_path / "model").write_text("x")
    with pytest.raises(ValueError, match="is a file"):
        save(model, tmp_path / "model")
    assert (tmp_path / "model").read_text() == "x"


def test_a_symbolic_link_is_not_followed(model, tmp_path):
    target = save(model, tmp_path / "target")
    before = content(target)
    os.symlink(target, tmp_path / "model")
    for path in (tmp_path / "model", f"{tmp_path}/model/"):
        with pytest.raises(ValueError, match="is a symbolic link"):
            save(model, path)
    assert content(target) == before


def test_a_dangling_link_is_not_followed(model, tmp_path):
    os.symlink(tmp_path / "outside", tmp_path / "model")
    with pytest.raises(ValueError, match="is a symbolic link"):
        save(model, tmp_path / "model")
    assert not os.path.exists(tmp_path / "outside")


def test_a_place_that_cannot_be_written_is_an_error(model, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError):
        save(model, tmp_path / "file" / "model")


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b"],
        ["a", "b", "c", "d", "a"],
        ["a", "b", "c", "d", ""],
        [1, 2, 3, 4, 5],
        list("abcdef"),
    ],
)
def test_labels_must_be_as_many_names_as_classes(model, tmp_path, labels):
    with pytest.raises(ValueError, match="`labels` must be 5 different"):
        tiny.save(model, tmp_path / "model", labels=labels)
    assert os.listdir(tmp_path) == []


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    model = make_model()
    folder = save(model, tmp_path / "model")
    before = content(folder)
    model.blocks[1].intermediate.bias.assign(np.full(20, np.nan))
    with pytest.raises(ValueError, match="'block_1/intermediate/bias' of"):
        save(model, folder)
    assert content(tmp_path) == {f"model/{k}": v for k, v in before.items()}


def test_a_checkpoint_without_exit_classifiers_is_not_written(tmp_path):
    source = tiny.write_huggingface(tmp_path / "source")
    checkpoint = checkpoints.read_checkpoint(source)
    with pytest.raises(ValueError, match="Save a whole model"):
        checkpoints.write_folder(str(tmp_path / "model"), checkpoint)


class FailingPreprocessor(FakePreprocessor):
    def save(self, folder):
        super().save(folder)
        raise OSError(28, "No space left on device")


def test_a_failure_leaves_the_old_folder_and_nothing_else(model, tmp_path):
    folder = save(model, tmp_path / "model")
    before = content(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        tiny.save(model, folder, preprocessor=FailingPreprocessor())
    assert content(tmp_path) == before


def test_a_file_size_limit_leaves_the_old_folder(model, tmp_path):
    folder = save(model, tmp_path / "model")
    before = content(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save(model, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", _FILES)
def test_a_deleted_file_is_refused_by_name(model, tmp_path, name):
    folder = save(model, tmp_path / "model")
    os.remove(os.path.join(folder, name))
    with pytest.raises(FileNotFoundError, match=name):
        checkpoints.read_checkpoint(folder)


@pytest.mark.parametrize("name", _FILES)
@pytest.mark.parametrize("keep", [0, 10, -1])
def test_an_emptied_or_truncated_file_is_refused_by_name(
    model, tmp_path, name, keep
):
    folder = save(model, tmp_path / "model")
    path = os.path.join(folder, name)
    os.truncate(path, keep if keep >= 0 else os.path.getsize(path) + keep)
    with pytest.raises(ValueError, match=name):
        checkpoints.read_checkpoint(folder)


@pytest.mark.parametrize("name", _FILES)
def test_a_flipped_bit_is_refused_by_name(model, tmp_path, name):
    folder = save(model, tmp_path / "model")
    path = tmp_path / "model" / name
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 50)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=name):
            checkpoints.read_checkpoint(folder)


def test_no_byte_of_the_manifest_can_change_unnoticed(model, tmp_path):
    folder = save(model, tmp_path / "model")
    path = tmp_path / "model" / "fastbert.json"
    whole = path.read_bytes()
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="fastbert.json"):
            checkpoints.read_manifest(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_format_version_is_refused_plainly(model, tmp_path, version):
    folder = save(model, tmp_path / "model")
    path = tmp_path / "model" / "fastbert.json"
    fields = json.loads(path.read_text()) | {"format_version": version}
    path.write_text(json.dumps(fields))
    with pytest.raises(ValueError, match=f"format_version={version!r}. Exp"):
        checkpoints.read_checkpoint(folder)


def test_reading_our_folder_logs_nothing(model, tmp_path, caplog):
    folder = save(model, tmp_path / "model")
    with caplog.at_level(logging.INFO, "absl"):
        FastBertClassifier.from_pretrained(folder)
    assert not caplog.records
