"""`TextClassifier`: texts in, named labels out, on a driver or an engine."""
