"""Accuracy and cost of a trained model: traces, reports, curves."""

from .curve import check_can_plot, plot_trade_off
from .flops import FlopCounts, count_flops
from .reports import (
    ExitReport,
    SpeedReport,
    evaluate_exits,
    evaluate_speeds,
)
from .table import format_table
from .trace import ExitTrace, collect_exits

__all__ = [
    "ExitReport",
    "ExitTrace",
    "FlopCounts",
    "SpeedReport",
    "check_can_plot",
    "collect_exits",
    "count_flops",
    "evaluate_exits",
    "evaluate_speeds",
    "format_table",
    "plot_trade_off",
]
