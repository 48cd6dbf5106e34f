"""What the benchmarks measure, and against what."""
