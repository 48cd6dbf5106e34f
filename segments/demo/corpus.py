"""The demo's corpus: which package does this docstring come from?

Every installation has it. The source files of the installed packages are
parsed, never imported; a row is the first paragraph of a docstring, its label
the package. The texts depend on the versions installed, so figures made with
them compare within one installation only. Nothing but the demo uses this.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import random
import re
import sysconfig
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("keras", "numpy", "stdlib", "tensorflow", "transformers")
SPLITS = ("train", "dev", "test")
_DEV_SHARE = 0.1
_TEST_SHARE = 0.2
_FEWEST_WORDS = 4
# Well over what the smallest package has: of the large ones a random choice
# of files is parsed, because parsing them all takes over a minute.
_MOST_READ = 2_500
_SKIPPED_FOLDERS = {
    # Other packages that live inside the standard library's folder.
    "site-packages",
    "dist-packages",
    # Docstrings of tests describe the case at hand, not the package.
    "test",
    "tests",
    "idle_test",
    # numpy's is a child of the standard library's; Python 3.12 has neither.
    "distutils",
    "__pycache__",
}
_SKIPPED_PATHS = {
    # An old copy of keras, and the generated list of its public names.
    "tensorflow": ("python/keras", "_api", "keras"),
}


class LabelledText(NamedTuple):
    """One line of the corpus."""

    label: str
    text: str


def source_folders() -> dict[str, Path]:
    """Where the source of each of `PACKAGES` is installed.

    Raises:
        ModuleNotFoundError: one of them is not installed.
    """
    folders = {}
    for name in PACKAGES:
        if name == "stdlib":
            folders[name] = Path(sysconfig.get_path("stdlib"))
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(
                f"The demo's texts come from the source of {name}. Received: "
                f"no package `{name}`. Run `make venv`, or `pip install "
                f"{name}`."
            )
        folders[name] = Path(spec.submodule_search_locations[0])
    return folders


def make_corpus(
    folders: Mapping[str, Path],
    seed: int,
    rows_per_class: int | None = None,
) -> dict[str, list[LabelledText]]:
    """A balanced corpus in three shuffled splits.

    A paragraph found in two packages is dropped from both. All packages are
    cut to the size of the smallest.

    Args:
        folders: package name to its source folder, as `source_folders`.
        seed: int. The same seed and sources give the same rows.
        rows_per_class: int, optional. An upper limit, all splits together.

    Returns:
        dict of lists of `LabelledText`: `"train"`, `"dev"` and `"test"`.

    Raises:
        ValueError: a package has too few paragraphs to be split.
    """
    enough = min(2 * (rows_per_class or _MOST_READ), _MOST_READ)
    found = {
        name: read_paragraphs(
            folder, _SKIPPED_PATHS.get(name, ()), seed, enough
        )
        for name, folder in sorted(folders.items())
    }
    found = without_shared(found)
    size = min(len(paragraphs) for paragraphs in found.values())
    size = min(size, rows_per_class or size)
    num_dev, num_test = int(size * _DEV_SHARE), int(size * _TEST_SHARE)
    if num_dev < 1:
        sizes = {name: len(texts) for name, texts in found.items()}
        raise ValueError(
            f"Each class needs 10 paragraphs to be split. Received: {size} a "
            f"class, of {sizes} found. Raise `rows_per_class`, or install "
            "the packages with their sources."
        )
    rng = random.Random(seed)
    splits = {name: [] for name in SPLITS}
    for label, texts in found.items():
        rows = [LabelledText(label, text) for text in rng.sample(texts, size)]
        splits["test"] += rows[:num_test]
        splits["dev"] += rows[num_test : num_test + num_dev]
        splits["train"] += rows[num_test + num_dev :]
    for rows in splits.values():
        rng.shuffle(rows)
    return splits


def read_paragraphs(
    folder: Path,
    skipped_paths: tuple[str, ...] = (),
    seed: int = 0,
    enough: int = _MOST_READ,
) -> list[str]:
    """Different first paragraphs of the docstrings under `folder`.

    Files are parsed in a random order until `enough` paragraphs are found,
    so that a large package is not represented by its first letters.

    Args:
        folder: Path of a package.
        skipped_paths: folders below it to leave out, such as `"a/b"`.
        seed: int, of the order.
        enough: int.
    """
    paths = sorted(source_files(folder, skipped_paths))
    random.Random(seed).shuffle(paths)
    paragraphs = {}
    for path in paths:
        if len(paragraphs) >= enough:
            break
        paragraphs.update(dict.fromkeys(file_paragraphs(path)))
    return list(paragraphs)


def source_files(
    folder: Path, skipped_paths: tuple[str, ...] = ()
) -> Iterator[Path]:
    """The Python files of a package, without those of its tests."""
    skipped = {folder / path for path in skipped_paths}
    for parent, names, files in os.walk(folder):
        names[:] = [
            name
            for name in names
            if name not in _SKIPPED_FOLDERS
            and Path(parent, name) not in skipped
        ]
        for file in files:
            is_test = file.startswith("test_") or file.endswith("_test.py")
            if file.endswith(".py") and not is_test:
                yield Path(parent, file)


def file_paragraphs(path: Path) -> list[str]:
    """First paragraphs of a file's docstrings; none if it does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of escapes in others' strings.
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []  # Templates and files for another Python.
    documented = (
        ast.Module,
        ast.ClassDef,
        ast.FunctionDef,
        ast.AsyncFunctionDef,
    )
    paragraphs = [
        first_paragraph(ast.get_docstring(node) or "")
        for node in ast.walk(tree)
        if isinstance(node, documented)
    ]
    return [text for text in paragraphs if _is_usable(text)]


def first_paragraph(docstring: str) -> str:
    """What comes before the first empty line, on one line."""
    paragraph = re.split(r"\n\s*\n", docstring.strip(), maxsplit=1)[0]
    return " ".join(paragraph.split())


def _is_usable(text: str) -> bool:
    return len(text.split()) >= _FEWEST_WORDS and text.isprintable()


def without_shared(found: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """`found` without the texts that occur under two names."""
    counts = Counter(text for texts in found.values() for text in texts)
    return {
        name: [text for text in texts if counts[text] == 1]
        for name, texts in found.items()
    }


def write_corpus(
    corpus: Mapping[str, list[LabelledText]], folder: Path
) -> None:
    """Writes `train.tsv`, `dev.tsv` and `test.tsv`, in the official form."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in corpus.items():
        lines = ["label\ttext_a", *("\t".join(row) for row in rows)]
        partial = folder / f"{split}.tsv.partial"
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        partial.replace(folder / f"{split}.tsv")
