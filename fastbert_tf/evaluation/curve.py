"""The trade-off curve of an evaluation, as a picture."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..files.atomic_file import replaced_file
from .reports import ExitReport, SpeedReport

_SPEED_STYLE = {"color": "#1f5fa8", "marker": "o", "markersize": 6, "zorder": 3}
_EXIT_STYLE = {"color": "#8a8a8a", "marker": "s", "markersize": 4, "zorder": 2}
_FULL_STYLE = {"color": "#303030", "linestyle": ":", "linewidth": 1}
_TICKS = (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
# Places of a label around its point, in points of 1/72 inch, best first.
_OFFSETS = [
    (x, y)
    for distance in (11, 20, 29)
    for x, y in (
        (0, distance),
        (0, -distance),
        (1.6 * distance, 0),
        (-1.6 * distance, 0),
        (1.3 * distance, distance),
        (-1.3 * distance, -distance),
    )
]
_MARKER_PIXELS = 8
_LINE_PIXELS = 3
_BOXES_A_LINE = 40
_SMALLEST_SPAN = 2.0  # points of accuracy


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
    # An optional package, hence here and not at the top.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), dpi=150, layout="constrained")
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
    axes.plot(*exits, label="one exit alone", linewidth=0.8, **_EXIT_STYLE)
    axes.plot(*speeds, label="FastBERT, by speed", **_SPEED_STYLE)
    axes.axhline(exits[1][-1], label="full depth", **_FULL_STYLE)
    _set_axes(axes, *np.concatenate([speeds, exits], axis=1))
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    # Fixes the layout, so that labels can be placed in pixels.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    names = [f"speed {r.speed:g}" for r in speed_reports]
    labels = _merged(axes, speeds, names, _SPEED_STYLE["color"])
    names = [f"M{r.exit_index}" for r in exit_reports]
    labels += _merged(axes, exits, names, _EXIT_STYLE["color"])
    full_depth = (axes.get_xlim(), [exits[1][-1]] * 2)
    _place(axes, labels, [speeds, exits, full_depth])


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


def _merged(
    axes: Any,
    points: tuple[list[float], list[float]],
    names: Sequence[str],
    color: str,
) -> list[tuple]:
    """(point, name, color) of every label; points that touch share one."""
    labels = []
    for point, name in zip(zip(*points, strict=True), names, strict=True):
        if labels and _touch(axes, labels[-1][0], point):
            first, shared, _ = labels[-1]
            labels[-1] = (first, f"{shared}, {name.split()[-1]}", color)
        else:
            labels.append((point, name, color))
    return labels


def _touch(axes: Any, first: tuple, second: tuple) -> bool:
    places = axes.transData.transform([first, second])
    return float(abs(places[0] - places[1]).max()) < _MARKER_PIXELS


def _place(
    axes: Any, labels: Sequence[tuple], curves: Sequence[Sequence]
) -> None:
    """Writes every label around its point, where it covers the least."""
    lines = np.concatenate([_line_boxes(axes, curve) for curve in curves])
    inside = axes.get_window_extent()
    taken = np.empty((0, 4))
    for point, name, color in labels:
        text = axes.annotate(
            name,
            point,
            xytext=_OFFSETS[0],
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=8,
            color=color,
        )
        covered = []
        for offset in _OFFSETS:
            text.set_position(offset)
            box = text.get_window_extent()
            is_outside = box.x0 < inside.x0 or box.x1 > inside.x1
            # A line is covered sooner than another label.
            worst = len(lines) * (is_outside + _overlaps(box, taken))
            covered.append(worst + _overlaps(box, lines))
        text.set_position(_OFFSETS[int(np.argmin(covered))])
        box = text.get_window_extent().padded(_LINE_PIXELS)
        taken = np.concatenate([taken, [box.extents]])


def _line_boxes(axes: Any, points: Sequence) -> np.ndarray:
    """Small boxes along a curve, float `[boxes, 4]`: x0, y0, x1, y1."""
    places = axes.transData.transform(np.transpose(points))  # [points, 2]
    corners = np.arange(len(places))
    at = np.linspace(0, len(places) - 1, _BOXES_A_LINE * len(places))
    x, y = (np.interp(at, corners, column) for column in places.T)
    low_to_high = ((x, -1), (y, -1), (x, 1), (y, 1))
    return np.stack([v + side * _LINE_PIXELS for v, side in low_to_high], 1)


def _overlaps(box: Any, others: np.ndarray) -> int:
    x0, y0, x1, y1 = others.T
    apart = (x1 < box.x0) | (x0 > box.x1) | (y1 < box.y0) | (y0 > box.y1)
    return int(np.sum(~apart))
