import os

import numpy as np
import pytest

from fastbert_tf import checkpoints

from . import tiny

_KERNEL = "bert/encoder/layer_1/attention/self/query/kernel"


def read(folder, tensors=None, **changes):
    tiny.write_google(folder, tensors, **changes)
    return checkpoints.read_checkpoint(str(folder))


def test_the_same_weights_as_in_a_hugging_face_folder(tmp_path):
    theirs = tiny.write_huggingface(tmp_path / "huggingface")
    expected = checkpoints.read_checkpoint(theirs)
    received = read(tmp_path / "google")
    assert received.config == expected.config
    assert received.tensors.keys() == expected.tensors.keys()
    for name, tensor in expected.tensors.items():
        np.testing.assert_array_equal(received.tensors[name], tensor)


def test_the_origin_says_google(tmp_path):
    origin = read(tmp_path).origin
    assert (origin["format"], origin["template"]) == ("google", "bert")


def test_optimizer_slots_and_heads_are_ignored(tmp_path):
    tensors = tiny.google_tensors()
    extra = np.zeros((2, 2), np.float32)
    for name in (
        f"{_KERNEL}/adam_m",
        f"{_KERNEL}/adam_v",
        "cls/predictions/output_bias",
        "bert/pooler/dense/kernel",
        "output_weights",
        "output_bias",
    ):
        tensors[name] = extra
    tensors["global_step"] = np.int64(7)
    assert not read(tmp_path, tensors).has_exit_classifiers


def test_a_fine_tuned_checkpoint_of_another_stem_is_found(tmp_path):
    assert read(tmp_path, stem="model.ckpt-300").config.hidden_size == 12


def test_two_checkpoints_in_a_folder_are_refused(tmp_path):
    tiny.write_google(tmp_path, stem="model.ckpt-1")
    with pytest.raises(FileNotFoundError, match="one TensorFlow checkpoint"):
        read(tmp_path)


def test_a_missing_and_an_extra_tensor_are_both_listed(tmp_path):
    tensors = tiny.google_tensors()
    tensors["bert/novel"] = tensors.pop(_KERNEL)
    message = "(?s)unknown: .'novel'.*missing: .'encoder/layer_1/attention"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, tensors)


def test_a_transposed_tensor_is_refused_by_name(tmp_path):
    tensors = tiny.google_tensors()
    name = "bert/encoder/layer_0/intermediate/dense/kernel"
    tensors[name] = tensors[name].T
    with pytest.raises(ValueError, match="layer_0/intermediate/dense/kernel"):
        read(tmp_path, tensors)


def test_a_tensor_that_is_not_finite_is_refused_by_name(tmp_path):
    tensors = tiny.google_tensors()
    tensors[_KERNEL][2, 3] = np.nan
    with pytest.raises(ValueError, match="query/kernel' of .*bert_model.ckpt"):
        read(tmp_path, tensors)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 2}, "holds 3 blocks"),
        ({"num_attention_heads": 5}, "must divide"),
        ({"type_vocab_size": 16}, "token_type_embeddings.*has shape"),
        ({"hidden_act": "linear"}, "`hidden_act` must be one of"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    tmp_path, changes, message
):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, **changes)


_FILES = (
    "bert_config.json",
    "bert_model.ckpt.index",
    "bert_model.ckpt.data-00000-of-00001",
)


@pytest.mark.parametrize("name", _FILES)
def test_a_deleted_file_is_refused_by_name(tmp_path, name):
    folder = tiny.write_google(tmp_path)
    os.remove(os.path.join(folder, name))
    with pytest.raises(FileNotFoundError, match=name):
        checkpoints.read_checkpoint(folder)


@pytest.mark.parametrize("name", _FILES)
@pytest.mark.parametrize("keep", [0, 1, 60])
def test_an_emptied_or_truncated_file_is_refused(tmp_path, name, keep):
    folder = tiny.write_google(tmp_path)
    os.truncate(os.path.join(folder, name), keep)
    with pytest.raises(ValueError, match="bert_(config|model)"):
        checkpoints.read_checkpoint(folder)


@pytest.mark.parametrize("name", _FILES[1:])
def test_a_flipped_bit_in_the_weights_is_refused(tmp_path, name):
    folder = tiny.write_google(tmp_path)
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)
    with pytest.raises(ValueError, match="bert_model.ckpt.*is damaged"):
        checkpoints.read_checkpoint(folder)
