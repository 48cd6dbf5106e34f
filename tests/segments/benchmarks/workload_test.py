import pathlib

import numpy as np
import pytest

from fastbert_tf import TextPreprocessor, simulate_exits
from fastbert_tf.evaluation.flops import count_flops
from fastbert_tf.segments.benchmarks.workload import (
    Workload,
    forced_workload,
    trained_workload,
)

from ...tiny_models import random_model, tiny_config
from ...tiny_texts import TEXTS, write_vocabulary

LENGTHS = np.array([3, 11, 5, 2, 7, 7, 4, 9, 1, 10])


@pytest.fixture(scope="module")
def forced() -> Workload:
    return forced_workload(tiny_config(), LENGTHS)


@pytest.mark.parametrize("counts", [(1, 2, 3, 4), (10, 0, 0, 0), (0, 5, 0, 5)])
def test_rows_leave_where_they_are_told_to(
    forced: Workload, counts: tuple[int, ...]
) -> None:
    setting = forced.at_histogram(counts)
    assert setting.exit_histogram == list(counts)
    result = simulate_exits(forced.trace.exit_logits, setting.speed)
    np.testing.assert_array_equal(result.exit_index, setting.exit_index)


def test_forced_exits_are_far_from_their_thresholds(forced: Workload) -> None:
    """So that no precision moves them."""
    setting = forced.at_histogram((1, 1, 1, 1))
    logits = forced.trace.exit_logits
    noise = np.random.default_rng(0).normal(0, 0.01, logits.shape)
    moved = simulate_exits(logits + noise, setting.speed)
    np.testing.assert_array_equal(moved.exit_index, setting.exit_index)


def test_rows_have_the_lengths_asked_for(forced: Workload) -> None:
    assert forced.trace.lengths.tolist() == LENGTHS.tolist()
    assert forced.inputs["token_ids"].shape == (10, 11)
    assert forced.trace.labels is None


def test_the_trace_is_the_models(forced: Workload) -> None:
    expected = forced.model.exit_logits(forced.inputs)
    np.testing.assert_allclose(forced.trace.exit_logits, expected, atol=1e-5)


@pytest.mark.parametrize("counts", [(1, 2), (0, 0, 0, 0)])
def test_an_impossible_histogram_is_refused(
    forced: Workload, counts: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="must have 4 counts"):
        forced.at_histogram(counts)


def test_flops_are_those_of_the_exits_asked(forced: Workload) -> None:
    flops = count_flops(forced.model.config, LENGTHS)
    full = flops.full_depth.sum()
    assert forced.at_speed(0.0).flops_speedup == 1.0
    everyone = forced.at_histogram((10, 0, 0, 0))
    spent = flops.leaving_at(0).sum()
    assert everyone.flops_speedup == pytest.approx(full / spent)
    planned = forced.at_speed(everyone.speed, exits=(1, 3))
    spent = (2 * flops.block + flops.exit_classifier).sum()
    assert planned.flops_speedup == pytest.approx(full / spent)
    assert planned.exit_histogram == [0, 10, 0, 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("workload")
    write_vocabulary(folder / "vocab.txt")
    preprocessor = TextPreprocessor.from_pretrained(
        folder / "vocab.txt", sequence_length=9
    )
    random_model(36).save_pretrained(
        str(folder / "model"), preprocessor=preprocessor, labels=list("abcde")
    )
    rows = [f"{'abcde'[i % 5]}\t{text}\n" for i, text in enumerate(TEXTS)]
    (folder / "dev.tsv").write_text("label\ttext_a\n" + "".join(rows))
    return folder


def test_a_trained_model_gives_accuracy_and_any_depth(
    folder: pathlib.Path,
) -> None:
    given = trained_workload(str(folder / "model"), str(folder / "dev.tsv"))
    assert given.num_rows == len(TEXTS)
    expected = given.model(given.inputs).numpy().argmax(-1)
    truth = np.arange(len(TEXTS)) % 5
    accuracy = given.at_speed(0.0).accuracy
    assert accuracy == pytest.approx(np.mean(expected == truth))
    assert given.at_depth(1.0).mean_depth == 1.0
    assert given.at_depth(4.0).mean_depth == 4.0


def test_only_the_first_rows_are_read(folder: pathlib.Path) -> None:
    paths = str(folder / "model"), str(folder / "dev.tsv")
    assert trained_workload(*paths, num_rows=2).num_rows == 2


def test_a_label_the_model_does_not_know_is_refused(
    folder: pathlib.Path,
) -> None:
    path = folder / "other.tsv"
    path.write_text("label\ttext_a\na\tx\nz\ty\n")
    with pytest.raises(ValueError, match=r"other.tsv, line 3: .* 'z'"):
        trained_workload(str(folder / "model"), str(path))
