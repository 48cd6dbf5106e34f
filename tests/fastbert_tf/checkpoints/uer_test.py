import logging
import os
import pathlib
import pickle
import sys
import zipfile

import numpy as np
import pytest

from fastbert_tf import checkpoints
from fastbert_tf.exits import simulate_exits
from fastbert_tf.model import FastBertClassifier

from . import oracle, tiny

torch = pytest.importorskip("torch", reason="`.bin` files are PyTorch's")


def official_segments(inputs):
    """Token types as the official code counts them: 0 pad, 1 A, 2 B."""
    return (inputs["token_type_ids"] + 1) * inputs["padding_mask"]


def official_logits(inputs, tensors):
    segments = official_segments(inputs)
    return oracle.official_logits(inputs["token_ids"], segments, tensors, 3, 2)


def load(tmp_path, tensors=None, **changes):
    path, config_path = tiny.write_official(tmp_path, tensors, **changes)
    return FastBertClassifier.from_pretrained(path, config_path=config_path)


def read(tmp_path, tensors=None, **changes):
    path, config_path = tiny.write_official(tmp_path, tensors, **changes)
    return checkpoints.read_checkpoint(path, config_path)


def test_an_official_model_gives_the_official_logits(tmp_path):
    tensors, inputs = tiny.official_tensors(), tiny.inputs(rows=5)
    received = load(tmp_path, tensors).exit_logits(inputs)
    expected = official_logits(inputs, tensors)
    np.testing.assert_allclose(received, expected, atol=1e-4, rtol=0)


# The gain of the last dense layers makes rows spread over the exits.
@pytest.mark.parametrize(("speed", "gain"), [(0.1, 6), (0.5, 2), (0.8, 1.5)])
def test_an_official_model_leaves_at_the_official_exits(tmp_path, speed, gain):
    tensors, inputs = tiny.official_tensors(), tiny.inputs(rows=80)
    for i in range(3):
        tensors[f"classifiers.{i}.output_layer_2.weight"] *= gain
    received = load(tmp_path, tensors).exit_logits(inputs)
    exits = oracle.official_exits(official_logits(inputs, tensors), speed)
    ours = simulate_exits(received, speed).exit_index
    assert len(set(exits)) > 1
    np.testing.assert_array_equal(ours, exits)


def test_the_biased_layer_norm_would_be_far_off(tmp_path):
    tensors, inputs = tiny.official_tensors(), tiny.inputs(rows=5)
    for name in [name for name in tensors if name.endswith("gamma")]:
        tensors[name] = tensors[name] * np.float32(np.sqrt(12 / 11))
    received = load(tmp_path, tensors).exit_logits(inputs)
    expected = official_logits(inputs, tiny.official_tensors())
    assert np.abs(received - expected).max() > 1e-3


@pytest.mark.parametrize("prefix", ["module.", "kernel.", "module.kernel."])
def test_prefixes_of_wrappers_are_understood(tmp_path, prefix):
    tensors = tiny.official_tensors()
    wrapped = {
        name
        if "kernel" in prefix and name.startswith("cl")
        else prefix + name: value
        for name, value in tensors.items()
    }
    plain = read(tmp_path / "plain", tensors)
    same = read(tmp_path / "wrapped", wrapped)
    for name, tensor in plain.tensors.items():
        np.testing.assert_array_equal(same.tensors[name], tensor)


def test_counters_and_pretraining_heads_are_ignored(tmp_path):
    tensors = tiny.official_tensors()
    tensors["total_ops"] = np.zeros(1)
    tensors["encoder.transformer.0.self_attn.total_params"] = np.zeros(1)
    tensors["target.mlm_linear_1.weight"] = np.zeros((2, 2), np.float32)
    assert read(tmp_path, tensors).has_exit_classifiers


def test_a_pretrained_encoder_has_no_exit_classifiers(tmp_path):
    tensors = {
        name: value
        for name, value in tiny.official_tensors().items()
        if not name.startswith("classifiers.")
    }
    checkpoint = read(tmp_path, tensors)
    assert not checkpoint.has_exit_classifiers
    assert checkpoint.with_num_classes(7).config.num_classes == 7


def test_the_number_of_classes_comes_from_the_classifiers(tmp_path):
    checkpoint = read(tmp_path)
    assert checkpoint.config.num_classes == 5
    with pytest.raises(ValueError, match="num_classes=4. Expected: 5"):
        checkpoint.with_num_classes(4)


def test_the_template_is_told_to_be_uers(tmp_path):
    assert read(tmp_path).origin["template"] == "uer"


def test_sizes_in_googles_names_are_understood(tmp_path):
    path, config_path = tiny.write_official(tmp_path)
    tiny.write_json(config_path, tiny.SIZES)
    checkpoint = checkpoints.read_checkpoint(path, config_path)
    assert checkpoint.config.type_vocab_size == 2
    assert checkpoint.config.num_attention_heads == 2


@pytest.mark.parametrize("pooling", ["first", "max", "last"])
def test_poolings_are_kept(tmp_path, pooling):
    assert read(tmp_path, pooling=pooling).config.classifier_pooling == pooling


def test_max_pooling_is_logged_to_differ_over_padding(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "absl"):
        read(tmp_path, pooling="max")
    assert "real tokens only" in caplog.text


def test_mean_pooling_is_refused_with_the_reason(tmp_path):
    with pytest.raises(ValueError, match="averages the feature axis"):
        read(tmp_path, pooling="mean")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers_num": 4}, "holds 3 blocks. Received: num_hidden_layers=4"),
        ({"hidden_size": 14, "emb_size": 14}, "has shape"),
        ({"emb_size": 6}, "`emb_size` must equal"),
        ({"heads_num": 5}, "must divide"),
        ({"heads_num": -2}, "`num_attention_heads` must be"),
        ({"feedforward_size": 10**9}, "`intermediate_size` must be"),
        ({"max_seq_length": 8}, "position_embedding.*has shape"),
        ({"encoder": "lstm"}, "encoder='lstm'"),
        ({"hidden_act": "gelu_fast"}, "hidden_act='gelu_fast'"),
        ({"dropout": 2.0}, "`hidden_dropout_prob` must be"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, **changes)


def test_a_size_that_is_missing_is_refused(tmp_path):
    path, config_path = tiny.write_official(tmp_path)
    fields = {k: v for k, v in tiny.UER_CONFIG.items() if k != "heads_num"}
    tiny.write_json(config_path, fields)
    with pytest.raises(ValueError, match="lacks .'heads_num'."):
        checkpoints.read_checkpoint(path, config_path)


def test_a_bin_without_its_json_is_refused(tmp_path):
    path, _ = tiny.write_official(tmp_path)
    with pytest.raises(ValueError, match="pass it as `config_path`"):
        checkpoints.read_checkpoint(path)


def test_two_token_types_instead_of_three_are_refused(tmp_path):
    tensors = tiny.official_tensors()
    name = "embedding.segment_embedding.weight"
    tensors[name] = tensors[name][:2]
    with pytest.raises(ValueError, match="segment_embedding"):
        read(tmp_path, tensors)


def test_a_missing_and_an_extra_tensor_are_both_listed(tmp_path):
    tensors = tiny.official_tensors()
    tensors["novel.weight"] = tensors.pop("classifiers.1.output_layer_1.bias")
    message = "(?s)novel.weight.*missing.*classifiers.1.output_layer_1.bias"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, tensors)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_tensor_that_is_not_finite_is_refused(tmp_path, bad):
    tensors = tiny.official_tensors()
    tensors["classifiers.2.output_layer_1.bias"][3] = bad
    message = "'classifiers.2.output_layer_1.bias' of .*fastbert.bin has 1"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, tensors)


def test_half_precision_is_widened(tmp_path):
    path, config_path = tiny.write_official(tmp_path)
    state = torch.load(path, weights_only=True)
    torch.save({n: t.bfloat16() for n, t in state.items()}, path)
    checkpoint = checkpoints.read_checkpoint(path, config_path)
    assert {t.dtype for t in checkpoint.tensors.values()} == {np.dtype("f4")}


class Payload:
    """Unpickled carelessly, it makes a file."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return (open, (self.canary, "w"))


@pytest.mark.parametrize("writer", ["torch", "legacy", "pickle"])
def test_code_in_a_pickle_never_runs(tmp_path, writer):
    path, config_path = tiny.write_official(tmp_path)
    canary = str(tmp_path / "canary")
    content = {"embedding.word_embedding.weight": Payload(canary)}
    if writer == "pickle":
        with open(path, "wb") as file:
            pickle.dump(content, file, protocol=2)
    else:
        torch.save(
            content, path, _use_new_zipfile_serialization=writer == "torch"
        )
    with pytest.raises(ValueError, match="Nothing in it was run"):
        checkpoints.read_checkpoint(path, config_path)
    assert not os.path.exists(canary)


def test_a_keras_archive_is_refused_unopened(tmp_path):
    _, config_path = tiny.write_official(tmp_path)
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Lambda"}')
    with pytest.raises(ValueError, match="Nothing in it was run"):
        checkpoints.read_checkpoint(path, config_path)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.zeros(2)])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    path, config_path = tiny.write_official(tmp_path)
    torch.save(content, path)
    with pytest.raises(ValueError, match="must hold a dict of tensors"):
        checkpoints.read_checkpoint(path, config_path)


@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_a_truncated_bin_is_refused_by_name(tmp_path, keep):
    path, config_path = tiny.write_official(tmp_path)
    os.truncate(path, keep)
    with pytest.raises(ValueError, match="fastbert.bin is"):
        checkpoints.read_checkpoint(path, config_path)


def test_without_pytorch_the_extra_is_named(tmp_path, monkeypatch):
    path, config_path = tiny.write_official(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ImportError, match=r"pip install 'fastbert-tf\[torch\]'"
    ):
        checkpoints.read_checkpoint(path, config_path)


def test_one_flipped_bit_is_refused_by_name(tmp_path):
    path, config_path = tiny.write_official(tmp_path)
    content = bytearray(pathlib.Path(path).read_bytes())
    at = content.index(b"data/0") + 400  # Inside the first tensor.
    content[at] ^= 1
    pathlib.Path(path).write_bytes(content)
    with pytest.raises(ValueError, match="(?s)bin is damaged.*checksum"):
        checkpoints.read_checkpoint(path, config_path)
