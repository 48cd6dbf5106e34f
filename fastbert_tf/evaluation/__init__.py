"""Accuracy and cost of a trained model: traces, reports, curves."""
