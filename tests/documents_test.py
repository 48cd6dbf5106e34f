"""Every Python block of README and BUILD runs as written."""

import pathlib
import warnings
from typing import Any

import pytest

from .documents import DOCUMENTS, python_blocks, write_fixtures


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("documents")
    write_fixtures(folder)
    return folder


def run(blocks: list[str], folder: pathlib.Path) -> dict[str, Any]:
    """The names that the blocks leave, run one after another."""
    names = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        # Keras tells everybody who passes it a dataset.
        warnings.filterwarnings("ignore", "`shuffle=True` was passed")
        patch.chdir(folder)
        for block in blocks:
            exec(compile(block, "a document", "exec"), names)
    return names


def test_a_first_script_is_five_lines_to_labels(
    folder: pathlib.Path,
) -> None:
    first = python_blocks("README.md")[0]
    lines = [x for x in first.splitlines() if x and "import" not in x]
    assert len(lines) <= 5
    names = run([first], folder)
    assert set(names["answers"]) <= {"neg", "pos"}


@pytest.mark.slow
@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_python_block_runs_as_written(
    folder: pathlib.Path, document: str
) -> None:
    blocks = python_blocks(document)
    assert blocks
    run(blocks, folder)


def test_two_lists_to_a_bundle_are_ten_lines() -> None:
    (script,) = (x for x in python_blocks("README.md") if ".fit(texts" in x)
    assert len([x for x in script.splitlines() if x]) <= 10
