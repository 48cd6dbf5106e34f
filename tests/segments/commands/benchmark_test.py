import pathlib
from typing import Any

import pytest
from absl import flags

from fastbert_tf.commands.launch import report_mistakes
from fastbert_tf.segments.benchmarks.records import read_records
from fastbert_tf.segments.benchmarks.runs import SCENARIOS
from fastbert_tf.segments.benchmarks.variants import Kind, Variant
from fastbert_tf.segments.commands import benchmark

TINY = {
    "num_layers": 2,
    "hidden_size": 24,
    "num_heads": 2,
    "intermediate_size": 48,
    "num_rows": 6,
    "num_rounds": 1,
    "mean_depths": 1.5,
    "batch_sizes": 2,
    "num_arrivals": 6,
    "shapes": "2x5",
    "lengths": "4,8",
    "loadgen_millis": 100,
}


WITH_MODEL = {"model_dir": "there/is/none", "test_path": "x.tsv"}
URL = "http://localhost:8000/v1/models/fastbert"


def run(**given: Any) -> int | None:
    """The command's exit status, None for 0."""
    values = flags.FlagValues()
    benchmark.define_flags(values)
    given = {**TINY, **given}
    values(["fastbert-benchmark", *(f"--{k}={v}" for k, v in given.items())])
    return report_mistakes(lambda argv: benchmark.main(argv, values), ["x"])


# The scenarios themselves are tested one by one; these cost the least.
QUICK = ("full_depth", "precision")


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(x, marks=() if x in QUICK else pytest.mark.slow)
        for x in SCENARIOS
    ],
)
def test_a_scenario_prints_and_writes_the_same_rows(
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    scenario: str,
) -> None:
    if scenario == "loadgen":
        pytest.importorskip("mlperf_loadgen", reason="needs mlcommons-loadgen")
    path = tmp_path / "records.jsonl"
    assert not run(scenario=scenario, output=path)
    environment, records = read_records(path)
    assert {record["scenario"] for record in records} == {scenario}
    printed = capsys.readouterr().out.strip().splitlines()
    assert len(printed) == len(records) + 2
    assert environment["num_cores"] >= 1
    assert environment["versions"]["tensorflow"].startswith("2.21")


def test_names_of_variants_are_read_as_values() -> None:
    values = flags.FlagValues()
    benchmark.define_flags(values)
    names = "pooled on openvino,engine by rows"
    values(["fastbert-benchmark", f"--drivers={names}", "--planned=false"])
    options = benchmark.parse_options(values)
    assert options.drivers == (
        Variant(Kind.POOLED, on_openvino=True),
        Variant(Kind.ENGINE, by_rows=True),
    )
    assert ",".join(x.name for x in options.drivers) == names


@pytest.mark.slow
def test_drivers_and_static_networks_are_chosen_by_flags(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "records.jsonl"
    assert not run(
        drivers="single graph,driver",
        static_blocks="1,2",
        output=path,
    )
    _, records = read_records(path)
    assert [record["variant"] for record in records] == [
        "full depth, one graph",
        "static 1",
        "static 2",
        "single graph",
        "driver",
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"drivers": "fast"}, "`--drivers` must be of"),
        ({"precisions": "int8"}, "`--precisions` must be of"),
        ({"batch_sizes": "many"}, "`--batch_sizes` must be whole numbers"),
        ({"batch_sizes": 0}, "--batch_sizes must be 1 or more"),
        ({"shapes": "32"}, "like 32x128"),
        ({"model_dir": "there/is/none"}, "--test_path must be"),
        ({"speeds": 0.5}, "--speeds must be used with --model_dir"),
        ({"mean_depths": 9}, "--mean_depths must be 1 to 2 blocks"),
        ({"mean_depths": "1.5,1.501"}, "must differ"),
        ({"shapes": "1x513"}, "--shapes must be up to 512 tokens"),
        ({"scenario": "server", "mean_depths": ""}, "needs speeds"),
        ({"hidden_size": 25}, "must divide"),
        ({"output": "no/such/folder/x.jsonl"}, "There is no folder"),
        ({"random_weights": True}, "--random_weights must be"),
        ({"urls": URL}, "--urls must be used with --model_dir"),
        (WITH_MODEL | {"urls": URL}, "asks no servers"),
        (WITH_MODEL | {"urls": f"{URL},{URL}"}, "different names"),
        (
            WITH_MODEL | {"urls": URL, "precisions": "float32,bfloat16"},
            "--precisions must be one alone",
        ),
        (
            WITH_MODEL | {"planned": True, "drivers": "driver on openvino"},
            "--planned must be used without drivers on openvino",
        ),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, Any],
    message: str,
) -> None:
    path = tmp_path / "records.jsonl"
    assert run(**{"output": path, "scenario": "full_depth", **given}) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert not path.exists()
