"""The trade-off curve: that it is drawn, and what it refuses."""

import dataclasses
import importlib.util

import pytest

from fastbert_tf.evaluation import curve
from fastbert_tf.evaluation.reports import ExitReport, SpeedReport

SPEEDS = [
    SpeedReport(0.0, 0.9, 3.0, [0, 0, 4], 4e6, 0.96, 0.98),
    SpeedReport(0.5, 0.8, 1.5, [3, 0, 1], 2e6, 1.9, 1.95),
    SpeedReport(0.6, 0.8, 1.5, [3, 0, 1], 2e6, 1.9, 1.95),
]
EXITS = [
    ExitReport(0, 0.7, 1.0, [4, 0, 0], 1.3e6, 2.9, 2.95),
    ExitReport(1, 0.8, 2.0, [0, 4, 0], 2.6e6, 1.5, 1.5),
    ExitReport(2, 0.9, 3.0, [0, 0, 4], 3.9e6, 1.0, 1.0),
]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def figure():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def test_a_png_is_written(figure, tmp_path):
    path = tmp_path / "curve.png"
    curve.plot_trade_off(str(path), SPEEDS, EXITS)
    assert path.read_bytes().startswith(PNG)
    assert list(tmp_path.iterdir()) == [path]


def test_every_speed_is_named_with_what_it_reaches(figure):
    curve._draw(figure, SPEEDS, EXITS)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[1:4] == [
        "0: 90.0 %, 1.0x",
        "0.5: 80.0 %, 1.9x",
        "0.6: 80.0 %, 1.9x",
    ]


def test_the_number_of_an_exit_stands_at_its_point(figure):
    curve._draw(figure, SPEEDS, EXITS)
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["0", "1", "2"]
    assert texts[0].get_position() == (2.9, 70.0)


def test_a_single_speed_at_full_depth_can_be_drawn(figure):
    curve._draw(figure, SPEEDS[:1], EXITS[2:])


def test_unlabelled_reports_are_refused(figure, tmp_path):
    unlabelled = [dataclasses.replace(SPEEDS[0], accuracy=None)]
    with pytest.raises(ValueError, match="A curve needs accuracies"):
        curve.plot_trade_off(str(tmp_path / "c.png"), unlabelled, EXITS)


def test_without_matplotlib_the_way_to_get_it_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'fastbert-tf\[plot\]'"):
        curve.plot_trade_off(str(tmp_path / "curve.png"), SPEEDS, EXITS)
    assert not list(tmp_path.iterdir())
