"""The trade-off curve of an evaluation, as a picture."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..files.atomic_file import replaced_file
from .reports import ExitReport, SpeedReport

_LINE = {"color": "#1f5fa8", "linewidth": 1.2, "zorder": 3}
_SPEED = {"marker": "o", "markersize": 8, "linestyle": "none", "zorder": 4}
_EXIT = {
    "color": "#9a9a9a",
    "linewidth": 0.8,
    "marker": "o",
    "markersize": 11,
    "markerfacecolor": "white",
    "zorder": 2,
}
_FULL = {"color": "#303030", "linestyle": ":", "linewidth": 1, "zorder": 1}
_TICKS = (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_SMALLEST_SPAN = 2.0  # points of accuracy
_COLORS = "plasma"
_LIGHTEST = 0.85  # of the colors, to stand out from white


def check_can_plot() -> None:
    """Refuses to go on without matplotlib, naming the way to get it.

    Raises:
        ImportError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError(
            "A curve needs matplotlib, which is not installed. Run "
            "`pip install 'fastbert-tf[plot]'`, or leave the curve out."
        )


def plot_trade_off(
    path: str,
    speed_reports: Sequence[SpeedReport],
    exit_reports: Sequence[ExitReport],
) -> None:
    """Draws accuracy over FLOPs speed-up, one point a speed, as a PNG.

    For comparison: every exit used alone, and the accuracy of full depth,
    which is that of the last of them.

    Args:
        path: str, file to make or replace; written aside and renamed.
        speed_reports: of `evaluate_speeds`.
        exit_reports: of `evaluate_exits`, all of them.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: there are no accuracies, for want of labels.
    """
    check_can_plot()
    if any(r.accuracy is None for r in (*speed_reports, *exit_reports)):
        raise ValueError(
            "A curve needs accuracies. Received: reports of unlabelled "
            "text. Evaluate a labelled file."
        )
    # An optional package, hence not at the top of the file.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    _draw(figure, speed_reports, exit_reports)
    with replaced_file(path) as partial:
        figure.savefig(partial, format="png")


def _draw(
    figure: Any,
    speed_reports: Sequence[SpeedReport],
    exit_reports: Sequence[ExitReport],
) -> None:
    axes = figure.subplots()
    speed_reports = sorted(speed_reports, key=lambda report: report.speed)
    speeds, exits = _points(speed_reports), _points(exit_reports)
    axes.plot(*speeds, label="FastBERT at speed", **_LINE)
    _draw_speeds(axes, speeds, speed_reports)
    axes.plot(*exits, label="M$i$ alone, for all texts", **_EXIT)
    _number_exits(axes, exits, exit_reports)
    axes.axhline(exits[1][-1], label="full depth", **_FULL)
    _set_axes(axes, *np.concatenate([speeds, exits], axis=1))
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)


def _draw_speeds(
    axes: Any,
    points: tuple[list[float], list[float]],
    reports: Sequence[SpeedReport],
) -> None:
    """A point a speed, named in the legend by its color."""
    import matplotlib

    shades = np.linspace(0, _LIGHTEST, len(reports))
    colors = matplotlib.colormaps[_COLORS](shades)
    for x, y, report, color in zip(*points, reports, colors, strict=True):
        name = f"{report.speed:g}: {y:.1f} %, {x:.1f}x"
        axes.plot([x], [y], color=color, label=name, **_SPEED)


def _number_exits(
    axes: Any,
    points: tuple[list[float], list[float]],
    reports: Sequence[ExitReport],
) -> None:
    """The number of each exit, inside its marker."""
    for x, y, report in zip(*points, reports, strict=True):
        axes.text(
            x,
            y,
            f"{report.exit_index}",
            ha="center",
            va="center_baseline",
            fontsize=6.5,
            color="#505050",
            zorder=_EXIT["zorder"],
        )


def _points(reports: Sequence[Any]) -> tuple[list[float], list[float]]:
    """FLOPs speed-ups, and accuracies in percent."""
    accuracies = [100 * report.accuracy for report in reports]
    return [report.flops_speedup for report in reports], accuracies


def _set_axes(axes: Any, speedups: np.ndarray, accuracies: np.ndarray) -> None:
    low, high = 0.88 * speedups.min(), 1.15 * speedups.max()
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, labels=[f"{tick:g}x" for tick in ticks])
    axes.minorticks_off()
    middle = (accuracies.min() + accuracies.max()) / 2
    # A narrow range would blow the noise of a few rows up to a mountain.
    span = max(np.ptp(accuracies), _SMALLEST_SPAN)
    axes.set_ylim(middle - 0.65 * span, middle + 0.65 * span)
    axes.set_xlabel("FLOPs speed-up over full depth")
    axes.set_ylabel("accuracy %")
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
