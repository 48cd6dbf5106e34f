import numpy as np
import pytest

from fastbert_tf import FastBertClassifier
from fastbert_tf.segments.benchmarks.torch_network import (
    TorchNetwork,
    check_num_threads,
    require,
    torch_threads,
)

from ...tiny_models import pad, random_model, tiny_config, tiny_inputs
from ...tolerances import tolerance

torch = pytest.importorskip("torch", reason="PyTorch is what is tested here")
pytest.importorskip("transformers", reason="its BertModel is the encoder")


def tensors_of(inputs):
    names = ("token_ids", "token_type_ids", "padding_mask")
    return [torch.tensor(inputs[name]) for name in names]


def exit_logits(network, inputs, **options):
    """Of every exit, block after block, as the official loop goes."""
    token_ids, token_type_ids, padding_mask = tensors_of(inputs)
    mask = padding_mask.bool()[:, None, None, :]
    with torch.inference_mode():
        states, logits = network.embed(token_ids, token_type_ids), []
        for i in range(network.config.num_hidden_layers):
            states = network.run_block(i, states, mask)
            exit_ = network.exit_logits(i, states, padding_mask, **options)
            logits.append(exit_.numpy())
    return np.stack(logits)


def full_depth(network, inputs):
    with torch.inference_mode():
        return network.full_depth(*tensors_of(inputs)).numpy()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"hidden_act": "gelu_new"},
        {"hidden_act": "relu"},
        {"layer_norm_eps": 0.1},
        {"classifier_num_heads": 3},
    ],
)
def test_every_exit_gives_the_logits_of_the_model(changes):
    model, inputs = random_model(3, **changes), tiny_inputs()
    received = exit_logits(TorchNetwork(model), inputs)
    expected = model.exit_logits(inputs)
    np.testing.assert_allclose(received, expected, **tolerance())


def test_attention_from_all_positions_gives_the_same_logits():
    network, inputs = TorchNetwork(random_model(3)), tiny_inputs()
    one = exit_logits(network, inputs)
    other = exit_logits(network, inputs, all_positions=True)
    np.testing.assert_allclose(one, other, **tolerance())


@pytest.mark.parametrize(("rows", "positions"), [(3, 7), (5, 11), (1, 2)])
def test_full_depth_gives_the_logits_of_the_teacher(rows, positions):
    model, inputs = random_model(3), tiny_inputs(rows, positions)
    received = full_depth(TorchNetwork(model), inputs)
    np.testing.assert_allclose(received, model(inputs), **tolerance())


def test_padding_does_not_change_full_depth():
    network, inputs = TorchNetwork(random_model(3)), tiny_inputs()
    one, other = (full_depth(network, x) for x in (inputs, pad(inputs, 4)))
    np.testing.assert_allclose(one, other, **tolerance())


def test_eager_attention_takes_a_mask_that_is_added():
    model, inputs = random_model(3), tiny_inputs()
    networks = [TorchNetwork(model), TorchNetwork(model, attention="eager")]
    token_ids, token_type_ids, padding_mask = tensors_of(inputs)
    is_real = padding_mask.bool()[:, None, None, :]
    masks = [is_real, -1e4 * (~is_real).float()]
    with torch.inference_mode():
        states = networks[0].embed(token_ids, token_type_ids)
        one, other = (
            network.run_block(0, states, mask)[padding_mask == 1]
            for network, mask in zip(networks, masks, strict=True)
        )
    np.testing.assert_allclose(one, other, **tolerance())


def test_as_module_runs_a_function_and_owns_every_parameter():
    model, inputs = random_model(3), tiny_inputs()
    network = TorchNetwork(model)
    module = network.as_module(network.full_depth)
    with torch.inference_mode():
        received = module(*tensors_of(inputs))
    np.testing.assert_array_equal(received, full_depth(network, inputs))
    num_parameters = sum(x.numel() for x in module.parameters())
    assert num_parameters == model.count_params()
    assert not module.training


def test_parameters_are_copies():
    model, inputs = random_model(3), tiny_inputs()
    network = TorchNetwork(model)
    before = full_depth(network, inputs)
    for weight in model.weights:
        weight.assign(weight + 1.0)
    np.testing.assert_array_equal(full_depth(network, inputs), before)


def test_weights_kept_in_bfloat16_become_float32():
    model = FastBertClassifier(tiny_config(), dtype="bfloat16")
    network = TorchNetwork(model)
    expected = model.exit_classifiers[-1].logits_dense.kernel.numpy()
    received = network.exit_classifiers[-1]["logits_dense"].weight
    assert received.dtype == torch.float32
    np.testing.assert_array_equal(received.detach().T, expected)


def test_to_rounds_the_parameters_and_logits_stay_float32():
    network = TorchNetwork(random_model(3)).to(torch.bfloat16)
    parameters = [*network.bert.parameters()]
    parameters += network.exit_classifiers.parameters()
    assert {x.dtype for x in parameters} == {torch.bfloat16}
    assert full_depth(network, tiny_inputs()).dtype == np.float32


def test_a_parameter_without_a_tensor_is_an_error():
    network = TorchNetwork(random_model(3))
    with pytest.raises(RuntimeError, match=r"Missing key.*input_dense"):
        network._assign({})


def test_a_tensor_without_a_parameter_is_an_error():
    network = TorchNetwork(random_model(3))
    tensors = {
        f"exit_classifiers.{name}": value
        for name, value in network.exit_classifiers.state_dict().items()
    }
    tensors |= network.bert.state_dict() | {"pooler.bias": torch.zeros(12)}
    with pytest.raises(RuntimeError, match=r"Unexpected key.*pooler.bias"):
        network._assign(tensors)


@pytest.mark.parametrize("pooling", ["max", "last"])
def test_exit_classifiers_that_read_another_position_are_refused(pooling):
    model = random_model(3, classifier_pooling=pooling)
    with pytest.raises(ValueError, match=f"'first'.*='{pooling}'.*\\[CLS\\]"):
        TorchNetwork(model)


def test_a_missing_package_is_named_with_the_way_to_get_it():
    with pytest.raises(
        ModuleNotFoundError,
        match=r"needs no_such_package, not.*'fastbert-tf\[peers\]'",
    ):
        require("numpy", "no_such_package")


@pytest.mark.parametrize("num_threads", [0, -1, 1.5, True, "2"])
def test_no_number_of_threads_is_refused(num_threads):
    with pytest.raises(ValueError, match=r"1 or more.*Received.*cores"):
        check_num_threads(num_threads)


def test_threads_are_put_back_after_an_error():
    before, seen = torch.get_num_threads(), []

    def fail():
        with torch_threads(before + 1):
            seen.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


def test_none_leaves_the_threads_alone():
    before = torch.get_num_threads()
    with torch_threads(None):
        assert torch.get_num_threads() == before
