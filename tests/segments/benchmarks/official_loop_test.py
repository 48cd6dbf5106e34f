import contextlib

import numpy as np
import pytest

from fastbert_tf import simulate_exits
from fastbert_tf.segments.benchmarks.official_loop import OfficialLoop

from ...tiny_models import NUM_BLOCKS, random_model, tiny_inputs
from ...tolerances import tolerance

torch = pytest.importorskip("torch", reason="PyTorch is what is tested here")
pytest.importorskip("transformers", reason="its BertModel is the encoder")

LENGTH = 11


@pytest.fixture(scope="module")
def model():
    return random_model(36)


@pytest.fixture(scope="module")
def loop(model):
    return OfficialLoop(model, LENGTH)


@contextlib.contextmanager
def hooked(loop, function):
    """Has `function` called with what every block returns."""
    with contextlib.ExitStack() as stack:
        for block in loop._network.bert.encoder.layer:
            hook = block.register_forward_hook(lambda *x: function(x[-1]))
            stack.enter_context(hook)
        yield


def check_equal(received, expected):
    np.testing.assert_array_equal(received.exit_index, expected.exit_index)
    for name in ("logits", "uncertainty"):
        one, other = getattr(received, name), getattr(expected, name)
        np.testing.assert_allclose(one, other, **tolerance())
        assert one.dtype == other.dtype


@pytest.mark.parametrize("speed", [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("positions", [7, LENGTH])
def test_answers_are_those_of_simulate_exits(model, loop, speed, positions):
    inputs = tiny_inputs(12, positions)
    expected = simulate_exits(model.exit_logits(inputs), speed)
    check_equal(loop.predict(inputs, speed), expected)


def test_every_row_may_have_its_own_speed_and_leave_anywhere(model, loop):
    inputs, speed = tiny_inputs(40), np.linspace(0, 1, 40)
    expected = simulate_exits(model.exit_logits(inputs), speed)
    assert set(expected.exit_index) == set(range(NUM_BLOCKS))
    check_equal(loop.predict(inputs, speed), expected)


def test_a_row_that_is_not_finite_never_leaves_early():
    model, inputs = random_model(36), tiny_inputs()
    kernel = model.exit_classifiers[0].logits_dense.kernel
    kernel.assign(kernel * np.nan)
    expected = simulate_exits(model.exit_logits(inputs), 1.0)
    assert expected.exit_index.min() > 0
    check_equal(OfficialLoop(model, LENGTH).predict(inputs, 1.0), expected)


def test_a_block_runs_one_padded_row_and_none_after_the_exit(loop):
    shapes = []
    with hooked(loop, lambda states: shapes.append(tuple(states.shape))):
        result = loop.predict(tiny_inputs(12), 0.5)
    assert len(shapes) == np.sum(result.exit_index + 1)
    assert set(shapes) == {(1, LENGTH, 12)}


def test_no_rows_give_no_answers(loop):
    result = loop.predict(tiny_inputs(0), 0.5)
    assert result.logits.shape == (0, 5)
    assert len(result) == 0


def test_threads_are_those_asked_for_and_put_back(model):
    before, seen = torch.get_num_threads(), []
    loop = OfficialLoop(model, LENGTH, num_threads=before + 1)
    with hooked(loop, lambda _: seen.append(torch.get_num_threads())):
        loop.predict(tiny_inputs(), 0.5)
    assert set(seen) == {before + 1}
    assert torch.get_num_threads() == before


def test_longer_rows_are_refused(model):
    loop = OfficialLoop(model, 6)
    with pytest.raises(ValueError, match=r"at most 6 .*Received: 7\. Trunc"):
        loop.predict(tiny_inputs(), 0.5)


@pytest.mark.parametrize("sequence_length", [0, 12])
def test_a_length_beyond_the_position_table_is_refused(model, sequence_length):
    with pytest.raises(ValueError, match=r"in \[1, 11\].*Received.*Pass"):
        OfficialLoop(model, sequence_length)


def test_no_number_of_threads_is_refused(model):
    with pytest.raises(ValueError, match="num_threads=0"):
        OfficialLoop(model, LENGTH, num_threads=0)


def test_a_wrong_speed_or_input_is_refused(loop):
    with pytest.raises(ValueError, match="`speed` must be in"):
        loop.predict(tiny_inputs(), 1.5)
    with pytest.raises(ValueError, match="`inputs` must be a dict"):
        loop.predict({}, 0.5)
