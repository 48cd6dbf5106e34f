import json
import logging
import os

import ml_dtypes
import numpy as np
import pytest

from fastbert_tf import checkpoints
from fastbert_tf.checkpoints.shapes import variable_shapes
from fastbert_tf.config import FastBertConfig
from fastbert_tf.model import FastBertClassifier

from . import tiny

_QUERY = "encoder.layer.1.attention.self.query.weight"


def read(folder, tensors=None, **changes):
    tiny.write_huggingface(folder, tensors, **changes)
    return checkpoints.read_checkpoint(str(folder))


def test_shapes_are_those_of_the_model():
    config = FastBertConfig.from_dict(
        {**tiny.SIZES, "num_classes": 5, "classifier_hidden_size": 6}
    )
    weights = FastBertClassifier(config).named_weights()
    received = {name: tuple(weight.shape) for name, weight in weights.items()}
    assert received == variable_shapes(config, with_exit_classifiers=True)


def test_linear_weights_are_turned_and_the_others_kept(tmp_path):
    tensors = tiny.huggingface_tensors()
    received = read(tmp_path, tensors).tensors
    kernel = received["block_1/attention/query/kernel"]
    np.testing.assert_array_equal(kernel, tensors[_QUERY].T)
    np.testing.assert_array_equal(
        received["embeddings/token_type_embedding/embeddings"],
        tensors["embeddings.token_type_embeddings.weight"],
    )


def test_the_origin_says_format_folder_and_template(tmp_path):
    assert read(tmp_path / "some bert").origin == {
        "format": "huggingface",
        "source": "some bert",
        "template": "bert",
        "block_repetition": 1,
    }


@pytest.mark.parametrize("prefix", ["bert.", "module.", "module.bert."])
def test_known_prefixes_are_understood(tmp_path, prefix):
    tensors = tiny.huggingface_tensors()
    prefixed = {prefix + name: value for name, value in tensors.items()}
    plain = read(tmp_path / "plain", tensors).tensors
    same = read(tmp_path / "prefixed", prefixed).tensors
    for name, tensor in plain.items():
        np.testing.assert_array_equal(same[name], tensor)


def test_an_unknown_prefix_is_refused_with_both_lists(tmp_path):
    tensors = tiny.huggingface_tensors()
    prefixed = {f"roberta.{name}": value for name, value in tensors.items()}
    message = (
        "(?s)unknown: .*'roberta.embeddings.LayerNorm.bias'"
        ".*missing: .*'embeddings.LayerNorm.bias'"
    )
    with pytest.raises(ValueError, match=message):
        read(tmp_path, prefixed)


def test_two_spellings_of_one_tensor_are_refused(tmp_path):
    tensors = tiny.huggingface_tensors()
    tensors[f"bert.{_QUERY}"] = tensors[_QUERY]
    with pytest.raises(ValueError, match="have the same meaning"):
        read(tmp_path, tensors)


def test_gamma_and_beta_of_old_files_are_understood(tmp_path):
    tensors = tiny.huggingface_tensors()
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): value
        for name, value in tensors.items()
    }
    received = read(tmp_path, old).tensors["embeddings/layer_norm/gamma"]
    expected = tensors["embeddings.LayerNorm.weight"]
    np.testing.assert_array_equal(received, expected)


def test_heads_of_pretraining_and_position_ids_are_ignored(tmp_path):
    tensors = tiny.huggingface_tensors()
    extra = np.zeros((2, 2), np.float32)
    tensors |= {"pooler.dense.weight": extra, "cls.predictions.bias": extra}
    tensors["embeddings.position_ids"] = np.zeros((1, 9), np.int64)
    assert not read(tmp_path, tensors).has_exit_classifiers


def test_a_fine_tuned_head_is_left_out_and_logged(tmp_path, caplog):
    tensors = tiny.huggingface_tensors()
    tensors["classifier.weight"] = np.zeros((2, 12), np.float32)
    with caplog.at_level(logging.WARNING, "absl"):
        read(tmp_path, tensors)
    assert "'classifier.weight'" in caplog.text


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_widened_exactly(tmp_path, dtype):
    halves = {n: t.astype(dtype) for n, t in tiny.huggingface_tensors().items()}
    tensor = read(tmp_path, halves).tensors["block_1/attention/query/kernel"]
    assert tensor.dtype == np.float32
    expected = halves[_QUERY].T.astype(np.float32)
    np.testing.assert_array_equal(tensor, expected)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float64])
def test_other_dtypes_are_refused(tmp_path, dtype):
    tensors = tiny.huggingface_tensors()
    tensors[_QUERY] = tensors[_QUERY].astype(dtype)
    with pytest.raises(ValueError, match=f"{_QUERY}.*has dtype"):
        read(tmp_path, tensors)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_tensor_that_is_not_finite_is_refused_by_name(tmp_path, bad):
    tensors = tiny.huggingface_tensors()
    tensors[_QUERY][3, 4] = bad
    message = f"'{_QUERY}' of .*model.safetensors has 1 values"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, tensors)


@pytest.mark.parametrize(
    "name",
    ["embeddings.LayerNorm.bias", _QUERY, "encoder.layer.2.output.dense.bias"],
)
def test_a_missing_tensor_is_refused_by_name(tmp_path, name):
    tensors = tiny.huggingface_tensors()
    del tensors[name]
    with pytest.raises(ValueError, match=f"missing: .*{name}"):
        read(tmp_path, tensors)


def test_an_extra_tensor_is_refused_by_name(tmp_path):
    tensors = tiny.huggingface_tensors()
    tensors["encoder.layer.0.adapter.weight"] = tensors[_QUERY]
    with pytest.raises(ValueError, match="unknown: .*adapter.weight"):
        read(tmp_path, tensors)


@pytest.mark.parametrize(
    "name",
    [
        "embeddings.word_embeddings.weight",
        "encoder.layer.0.output.dense.weight",
    ],
)
def test_a_transposed_tensor_is_refused_by_name(tmp_path, name):
    tensors = tiny.huggingface_tensors()
    tensors[name] = np.ascontiguousarray(tensors[name].T)
    with pytest.raises(ValueError, match=f"{name}.*has shape"):
        read(tmp_path, tensors)


@pytest.mark.parametrize("shape", [(), (144,), (12, 12, 1)])
def test_a_tensor_of_another_rank_is_refused(tmp_path, shape):
    tensors = tiny.huggingface_tensors()
    tensors[_QUERY] = np.zeros(shape, np.float32)
    with pytest.raises(ValueError, match=f"{_QUERY}.*has shape"):
        read(tmp_path, tensors)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 2}, "holds 3 blocks.*num_hidden_layers=2"),
        ({"num_hidden_layers": 4}, "holds 3 blocks.*num_hidden_layers=4"),
        ({"num_attention_heads": 5}, "`num_attention_heads` must divide"),
        ({"hidden_size": -12}, "`hidden_size` must be"),
        ({"vocab_size": 24}, "word_embeddings.weight.*has shape"),
        ({"vocab_size": 1_999_999, "hidden_size": 16_384}, "has shape"),
        ({"intermediate_size": 10**12}, "`intermediate_size` must be"),
        ({"num_hidden_layers": "3"}, "`num_hidden_layers` must be"),
        ({"hidden_act": "swish"}, "`hidden_act` must be one of"),
        ({"hidden_act": ["gelu"]}, "`hidden_act` must be one of"),
        ({"layer_norm_eps": float("nan")}, "`layer_norm_eps` must be"),
        ({"model_type": "roberta"}, "model_type='roberta'"),
        ({"position_embedding_type": "relative_key"}, "'relative_key'"),
        ({"is_decoder": True}, "is_decoder=True"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "auto_map="),
        ({"quantization_config": {"bits": 4}}, "quantization_config="),
    ],
)
def test_a_damaged_or_foreign_configuration_is_refused(
    tmp_path, changes, message
):
    with pytest.raises(ValueError, match=f"config|{message}") as error:
        read(tmp_path, **changes)
    assert error.match(message)


def test_a_configuration_without_its_heads_is_refused(tmp_path):
    folder = tiny.write_huggingface(tmp_path)
    sizes = {k: v for k, v in tiny.SIZES.items() if k != "num_attention_heads"}
    tiny.write_json(os.path.join(folder, "config.json"), sizes)
    with pytest.raises(ValueError, match="lacks .'num_attention_heads'."):
        checkpoints.read_checkpoint(folder)


def test_keys_that_change_nothing_are_not_looked_at(tmp_path):
    extra = {"use_cache": True, "id2label": {"0": "a"}, "torch_dtype": "x"}
    assert read(tmp_path, **extra).config.hidden_size == 12


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("keep", [0, 1, 50])
def test_an_emptied_or_truncated_file_is_refused_by_name(tmp_path, name, keep):
    folder = tiny.write_huggingface(tmp_path)
    os.truncate(os.path.join(folder, name), keep)
    with pytest.raises(ValueError, match=name):
        checkpoints.read_checkpoint(folder)


def test_weights_cut_at_the_end_are_refused(tmp_path):
    folder = tiny.write_huggingface(tmp_path)
    path = os.path.join(folder, "model.safetensors")
    os.truncate(path, os.path.getsize(path) - 1)
    with pytest.raises(ValueError, match="model.safetensors is not a whole"):
        checkpoints.read_checkpoint(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_deleted_file_is_refused_by_name(tmp_path, name):
    folder = tiny.write_huggingface(tmp_path)
    os.remove(os.path.join(folder, name))
    with pytest.raises(FileNotFoundError, match=name):
        checkpoints.read_checkpoint(folder)


@pytest.mark.parametrize("text", ["[]", "{", "[" * 10_000, '{"a": 1e999}x'])
def test_json_that_is_no_object_is_refused_by_name(tmp_path, text):
    folder = tiny.write_huggingface(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match="config.json"):
        checkpoints.read_checkpoint(folder)


def test_bytes_that_are_no_text_are_refused_by_name(tmp_path):
    folder = tiny.write_huggingface(tmp_path)
    (tmp_path / "config.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ValueError, match="config.json is not UTF-8"):
        checkpoints.read_checkpoint(folder)


@pytest.mark.parametrize(
    "other", ["pytorch_model.bin", "model.safetensors.index.json"]
)
def test_other_forms_of_weights_get_a_remedy(tmp_path, other):
    folder = tiny.write_huggingface(tmp_path)
    os.rename(tmp_path / "model.safetensors", tmp_path / other)
    with pytest.raises(FileNotFoundError, match=f"{other}.*Convert it once"):
        checkpoints.read_checkpoint(folder)


def test_a_pickle_called_safetensors_does_not_run(tmp_path):
    folder = tiny.write_huggingface(tmp_path)
    canary = tmp_path / "canary"
    code = f"cbuiltins\nopen\n(S'{canary}'\nS'w'\ntR."
    (tmp_path / "model.safetensors").write_bytes(code.encode())
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        checkpoints.read_checkpoint(folder)
    assert not canary.exists()


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(FileNotFoundError, match="is not a checkpoint"):
        checkpoints.read_checkpoint(str(tmp_path))


def test_config_path_beside_a_folder_is_refused(tmp_path):
    folder = tiny.write_huggingface(tmp_path)
    with pytest.raises(ValueError, match="`config_path` belongs to"):
        checkpoints.read_checkpoint(folder, "config.json")


def test_the_configuration_given_is_the_one_used(tmp_path):
    changes = {"hidden_act": "relu", "layer_norm_eps": 1e-5}
    config = read(tmp_path, **changes).config
    assert (config.hidden_act, config.layer_norm_eps) == ("relu", 1e-5)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert stored["hidden_act"] == "relu"
