"""Seconds to load a model and to answer a text, each in a new process.

    python -m tests.export.loading_times model/ bundle/ other_bundle/

takes a folder of `fastbert-train` and bundles of it, in turn, three times
each, and prints the medians. What importing takes is left out.
"""

import statistics
import subprocess
import sys

_CODE = """
import os, sys, time
from fastbert_tf import FastBertClassifier, TextPreprocessor, export, segments
path, start = sys.argv[1], time.perf_counter()
if os.path.exists(os.path.join(path, "manifest.json")):
    preprocessor = export.load_preprocessor(path)
    driver = segments.Driver(export.load_segments(path))
else:
    preprocessor = TextPreprocessor.from_pretrained(path)
    model = FastBertClassifier.from_pretrained(path)
    driver = segments.Driver(segments.build_segments(model))
loaded = time.perf_counter()
driver.predict(preprocessor(["Stocks fall as oil climbs."]), speed=0.0)
print(loaded - start, time.perf_counter() - loaded)
"""
_NUM_ROUNDS = 3


def loading_times(path: str) -> tuple[float, float]:
    """Seconds to load and to the first answer from then on."""
    command = [sys.executable, "-c", _CODE, path]
    printed = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    loading, answering = map(float, printed.split())
    return loading, answering


def main(paths: list[str]) -> None:
    times = {path: [] for path in paths}
    for _ in range(_NUM_ROUNDS):
        for path, seconds in times.items():
            seconds.append(loading_times(path))
    for path, seconds in times.items():
        loading, answering = map(statistics.median, zip(*seconds, strict=True))
        print(
            f"{path}: loaded in {loading:.2f} s, first answer {answering:.2f} s"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
