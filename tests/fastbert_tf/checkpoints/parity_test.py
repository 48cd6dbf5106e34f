"""The encoder read from a folder computes what `transformers` computes."""

import os

import numpy as np
import pytest

from fastbert_tf.model import FastBertClassifier

from . import oracle, tiny

torch = pytest.importorskip("torch", reason="PyTorch is the reference here")
transformers = pytest.importorskip("transformers")
TOLERANCE = 1e-4
# [CLS] text [SEP] and [CLS] text [SEP] text [SEP] of the English vocabulary.
_SINGLE = [101, 2023, 3185, 2003, 1037, 4569, 1010, 14888, 1012, 102]
_PAIR = [101, 2054, 2003, 2009, 1029, 102, 2009, 2003, 2307, 999, 102]


def real_inputs():
    token_ids = np.zeros((3, 13), np.int32)
    token_types, mask = np.zeros_like(token_ids), np.zeros_like(token_ids)
    for row, ids in enumerate([_SINGLE, _PAIR, [101, 102]]):
        token_ids[row, : len(ids)] = ids
        mask[row, : len(ids)] = 1
    token_types[1, 6:11] = 1
    return {
        "token_ids": token_ids,
        "token_type_ids": token_types,
        "padding_mask": mask,
    }


def reference_states(folder, inputs):
    """Hidden states after every block, by PyTorch."""
    model = transformers.BertModel.from_pretrained(
        folder, add_pooling_layer=False
    ).eval()
    with torch.no_grad():
        output = model(
            torch.tensor(inputs["token_ids"]).long(),
            attention_mask=torch.tensor(inputs["padding_mask"]).long(),
            token_type_ids=torch.tensor(inputs["token_type_ids"]).long(),
            output_hidden_states=True,
        )
    return [state.numpy() for state in output.hidden_states[1:]]


def largest_differences(folder, inputs):
    """Per block, over real positions; the figure that is published."""
    model = FastBertClassifier.from_pretrained(folder)
    is_real = inputs["padding_mask"] == 1
    pairs = zip(
        model.block_outputs(inputs),
        reference_states(folder, inputs),
        strict=True,
    )
    return [np.abs(ours - theirs)[is_real].max() for ours, theirs in pairs]


def test_every_block_of_minilm_equals_transformers(minilm):
    differences = largest_differences(minilm, real_inputs())
    assert len(differences) == 6
    assert max(differences) < TOLERANCE


@pytest.mark.parametrize("hidden_act", ["gelu", "gelu_new", "relu"])
def test_every_block_of_a_tiny_bert_equals_transformers(tmp_path, hidden_act):
    folder = tiny.write_huggingface(tmp_path, hidden_act=hidden_act)
    assert max(largest_differences(folder, tiny.inputs())) < TOLERANCE


def test_layer_norm_eps_comes_from_the_configuration(tmp_path):
    folder = tiny.write_huggingface(tmp_path, layer_norm_eps=0.1)
    assert max(largest_differences(folder, tiny.inputs())) < TOLERANCE


def test_a_saved_folder_is_an_encoder_for_transformers(tmp_path):
    source = tiny.write_huggingface(tmp_path / "source")
    model = FastBertClassifier.from_pretrained(source, num_classes=5)
    saved = tiny.save(model, tmp_path / "saved")
    _, report = transformers.BertModel.from_pretrained(
        saved, add_pooling_layer=False, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert max(largest_differences(saved, tiny.inputs())) < TOLERANCE


def test_exit_logits_equal_numpy_on_transformers_states(tmp_path):
    source = tiny.write_huggingface(tmp_path / "source")
    model = FastBertClassifier.from_pretrained(source, num_classes=5)
    rng = np.random.default_rng(2)
    for exit_classifier in model.exit_classifiers:
        for weight in exit_classifier.weights:
            weight.assign(0.1 * rng.standard_normal(weight.shape))
    folder = tiny.save(model, tmp_path / "saved")
    path = os.path.join(folder, "model.safetensors")
    state = tiny.safetensors.numpy.load_file(path)
    inputs = tiny.inputs()
    expected = [
        oracle.our_classifier(
            hidden, inputs["padding_mask"], state, f"exit_classifiers.{i}", 2
        )
        for i, hidden in enumerate(reference_states(folder, inputs))
    ]
    received = model.exit_logits(inputs)
    np.testing.assert_allclose(received, expected, atol=TOLERANCE, rtol=0)
