"""LoadGen itself drives a fake: rows, verdicts, errors, and what is left."""

import dataclasses
import importlib.util
import tempfile
import threading
import time

import numpy as np
import pytest

from fastbert_tf.segments.benchmarks.loadgen import LoadgenSettings, run_loadgen

SCENARIOS = ("offline", "single_stream", "server")
NUM_ROWS = 37
# Short, and valid whatever the machine does meanwhile.
VALID = {
    "offline": LoadgenSettings(300, min_duration_ms=10),
    "single_stream": LoadgenSettings(1000, min_duration_ms=100),
    "server": LoadgenSettings(
        2000, 100, min_query_count=500, target_latency_ms=60_000
    ),
}
# Too short for LoadGen, and what it says to that.
TOO_SHORT = {
    "offline": (LoadgenSettings(20, 5_000), "Min duration satisfied : NO"),
    "single_stream": (
        LoadgenSettings(1000, 1, min_query_count=10),
        "Early stopping satisfied: NO",
    ),
    "server": (
        LoadgenSettings(1000, 1, min_query_count=10),
        "Early stopping satisfied: NO",
    ),
}
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


@pytest.fixture
def loadgen():
    return pytest.importorskip(
        "mlperf_loadgen", reason="LoadGen is not installed"
    )


class Recorder:
    """Answers after `seconds`, and knows which rows it was asked for."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.calls = []

    def __call__(self, rows):
        self.calls.append(rows)
        time.sleep(self.seconds)
        return np.zeros(len(rows), np.int32)

    @property
    def sizes(self):
        return [len(rows) for rows in self.calls]


@each_scenario
def test_a_long_enough_run_is_valid(loadgen, scenario):
    predict = Recorder(seconds=0.02 if scenario == "offline" else 0.001)
    report = run_loadgen(scenario, predict, NUM_ROWS, VALID[scenario])
    assert report.is_valid, report.reasons
    assert report.scenario == scenario
    assert report.reasons == ()
    assert report.rows_per_second > 0
    assert 0 < report.latency_p50_ms <= report.latency_p90_ms
    assert report.latency_p90_ms <= report.latency_p99_ms


@each_scenario
def test_a_short_run_is_not_valid_and_says_why(loadgen, scenario):
    settings, reason = TOO_SHORT[scenario]
    report = run_loadgen(scenario, Recorder(), NUM_ROWS, settings)
    assert not report.is_valid
    assert reason in report.reasons


@each_scenario
def test_every_row_asked_for_is_there_and_answered(loadgen, scenario):
    predict = Recorder()
    settings, _ = TOO_SHORT[scenario]
    report = run_loadgen(scenario, predict, NUM_ROWS, settings)
    rows = np.concatenate(predict.calls)
    assert rows.dtype == np.int64
    assert len(rows) == report.num_rows >= settings.min_query_count
    assert 0 <= rows.min() <= rows.max() < NUM_ROWS


def test_offline_is_one_call(loadgen):
    predict = Recorder()
    settings = LoadgenSettings(1000, min_duration_ms=100)
    report = run_loadgen("offline", predict, NUM_ROWS, settings)
    # LoadGen asks for a tenth more than the rate would need.
    assert predict.sizes == [110]
    assert (report.num_queries, report.num_rows) == (1, 110)


def test_single_stream_is_one_row_a_call(loadgen):
    predict = Recorder()
    settings, _ = TOO_SHORT["single_stream"]
    report = run_loadgen("single_stream", predict, NUM_ROWS, settings)
    assert predict.sizes == [1] * report.num_queries


def test_server_answers_together_what_has_come_meanwhile(loadgen):
    predict = Recorder(seconds=0.02)
    settings = LoadgenSettings(2000, 100, max_batch_size=8)
    report = run_loadgen("server", predict, NUM_ROWS, settings)
    assert max(predict.sizes) == 8
    assert report.num_queries == sum(predict.sizes)


def test_server_late_is_not_valid(loadgen):
    settings = dataclasses.replace(VALID["server"], target_latency_ms=0.001)
    report = run_loadgen("server", Recorder(), NUM_ROWS, settings)
    assert "Performance constraints satisfied : NO" in report.reasons


def test_the_seed_decides_on_the_rows(loadgen):
    first, again, other = Recorder(), Recorder(), Recorder()
    for predict, seed in ((first, 3), (again, 3), (other, 4)):
        settings = LoadgenSettings(1000, 100, seed=seed)
        run_loadgen("offline", predict, NUM_ROWS, settings)
    assert np.array_equal(first.calls[0], again.calls[0])
    assert not np.array_equal(first.calls[0], other.calls[0])


@each_scenario
@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_an_error_of_predict_comes_out(loadgen, scenario, kind):
    calls = []

    def predict(rows):
        calls.append(rows)
        raise kind("no answer to that")

    with pytest.raises(kind, match="no answer to that"):
        run_loadgen(scenario, predict, NUM_ROWS, VALID[scenario])
    assert len(calls) == 1


@each_scenario
@pytest.mark.parametrize("is_broken", [False, True])
def test_nothing_is_left_or_printed(
    loadgen, scenario, is_broken, tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    threads = threading.active_count()
    settings, _ = TOO_SHORT[scenario]
    if is_broken:
        with pytest.raises(TypeError):
            run_loadgen(scenario, lambda rows: None, NUM_ROWS, settings)
    else:
        run_loadgen(scenario, Recorder(), NUM_ROWS, settings)
    assert threading.active_count() == threads
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_stray_audit_config_changes_nothing(loadgen, tmp_path, monkeypatch):
    (tmp_path / "audit.config").write_text("*.*.min_query_count = 777\n")
    monkeypatch.chdir(tmp_path)
    predict = Recorder()
    run_loadgen("offline", predict, NUM_ROWS, LoadgenSettings(1000, 100))
    assert predict.sizes == [110]


def test_an_unknown_scenario_is_refused():
    with pytest.raises(ValueError, match="Received: scenario='multi_stream'"):
        run_loadgen("multi_stream", Recorder(), NUM_ROWS, VALID["server"])


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="Received: num_rows=0"):
        run_loadgen("server", Recorder(), 0, VALID["server"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("target_qps", 0),
        ("target_qps", float("inf")),
        ("target_latency_ms", -1.0),
        ("target_latency_ms", float("nan")),
        ("min_duration_ms", 0),
        ("min_duration_ms", 1.5),
        ("min_query_count", 0),
        ("max_batch_size", 0),
        ("seed", -1),
        ("seed", 2**64),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(
        ValueError, match=f"`{name}` must be .* Received: {name}="
    ):
        LoadgenSettings(**{"target_qps": 100.0, name: value})


def test_without_loadgen_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"fastbert-tf\[loadgen\]"):
        run_loadgen("server", Recorder(), NUM_ROWS, VALID["server"])
