"""The demonstration: its corpus, its encoder and its steps."""
