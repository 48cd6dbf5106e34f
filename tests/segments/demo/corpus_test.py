"""The demo's corpus, from made-up packages and from the installed ones."""

import collections
import sys

import pytest

from fastbert_tf.data.tables import TableReader
from fastbert_tf.segments.demo import corpus as docstrings
from fastbert_tf.segments.demo.corpus import (
    PACKAGES,
    LabelledText,
    file_paragraphs,
    first_paragraph,
    make_corpus,
    read_paragraphs,
    source_files,
    source_folders,
    without_shared,
    write_corpus,
)

MODULE = '''"""Module text of   four\twords
and a second line.

Another paragraph."""
import nothing_of_that_name
raise SystemExit("imported")
class A:
    "Class text with four words."
    def short(self):
        "Too short text."
    async def f(self):
        """
        Coroutine text after empty line.
        """
def bare(): pass
def control(): "A text with \\x00 inside it."
def surrogate(): "A text with \\udc80 inside it."
def escape(): "Odd \\d escape in text."
'''


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def functions(texts):
    """Source of functions with these docstrings."""
    return "".join(f'def f(): "{text}"\n' for text in texts)


@pytest.fixture
def packages(tmp_path):
    """Two packages of 30 and 41 texts, one of them in both."""
    shared = ["A text in both packages."]
    for name, size in (("left", 29), ("right", 40)):
        texts = [f"Text number {i} of {name}." for i in range(size)]
        half = size // 2
        files = {"a.py": texts[:half] + shared, "b/c.py": texts[half:]}
        files = {path: functions(texts) for path, texts in files.items()}
        write(tmp_path / name, files)
    return {name: tmp_path / name for name in ("left", "right")}


def test_a_file_gives_first_paragraphs_without_being_imported(tmp_path):
    write(tmp_path, {"module.py": MODULE})
    assert file_paragraphs(tmp_path / "module.py") == [
        "Module text of four words and a second line.",
        "Class text with four words.",
        "Odd \\d escape in text.",
        "Coroutine text after empty line.",
    ]


def test_a_paragraph_ends_at_a_line_of_blanks_and_is_one_line():
    assert first_paragraph("\n one\n\ttwo\u2028three\n \t\nfour") == (
        "one two three"
    )
    assert first_paragraph("") == ""


@pytest.mark.parametrize("source", [b"def f(:", b"\xff\xfe", b"a = '\x00'"])
def test_a_file_that_does_not_parse_gives_nothing(tmp_path, source):
    (tmp_path / "broken.py").write_bytes(source)
    assert file_paragraphs(tmp_path / "broken.py") == []


def test_tests_other_packages_and_named_folders_are_left_out(tmp_path):
    left_out = "tests/a.py test_a.py a_test.py site-packages/b/a.py a.pyi"
    left_out += " copy/of/it/a.py distutils/a.py"
    kept = "a.py of/a.py copy/of_it.py"
    write(tmp_path, dict.fromkeys(f"{left_out} {kept}".split(), ""))
    files = source_files(tmp_path, ("copy/of",))
    found = {str(path.relative_to(tmp_path)) for path in files}
    assert found == set(kept.split())


def test_texts_are_different_and_reading_stops_at_enough(packages):
    (packages["left"] / "d.py").write_text(
        functions(["The same text, twice."] * 2)
    )
    texts = read_paragraphs(packages["left"])
    assert len(texts) == len(set(texts)) == 31
    assert len(read_paragraphs(packages["left"], enough=1)) < 31


def test_a_text_of_two_packages_is_dropped_from_both():
    found = {"a": ["x", "y"], "b": ["z", "x"]}
    assert without_shared(found) == {"a": ["y"], "b": ["z"]}


def test_classes_are_balanced_in_every_split(packages):
    corpus = make_corpus(packages, seed=7)
    counts = {
        split: collections.Counter(row.label for row in rows)
        for split, rows in corpus.items()
    }
    assert counts == {
        "train": {"left": 22, "right": 22},
        "dev": {"left": 2, "right": 2},
        "test": {"left": 5, "right": 5},
    }


def test_no_text_is_in_two_splits(packages):
    rows = [row for rows in make_corpus(packages, 7).values() for row in rows]
    assert len({row.text for row in rows}) == len(rows)


def test_a_seed_gives_the_same_corpus_and_another_one_another(packages):
    assert make_corpus(packages, seed=7) == make_corpus(packages, seed=7)
    assert make_corpus(packages, seed=7) != make_corpus(packages, seed=8)


def test_rows_per_class_is_an_upper_limit(packages):
    for limit, size in ((20, 40), (1_000, 58)):
        corpus = make_corpus(packages, 7, rows_per_class=limit)
        assert sum(map(len, corpus.values())) == size


def test_too_few_texts_are_refused_with_the_counts(packages):
    (packages["left"] / "a.py").unlink()
    (packages["left"] / "b" / "c.py").write_text("")
    message = "Received: 0 a class, of {'left': 0, 'right': 41}"
    with pytest.raises(ValueError, match=message):
        make_corpus(packages, seed=7)


def test_written_rows_are_read_back_and_replace_older_ones(tmp_path):
    rows = [
        LabelledText("b", 'one "quoted" text'),
        LabelledText("a", "zwei größere Wörter"),
    ]
    for corpus in ({"train": rows[:1]}, {"train": rows, "dev": [], "test": []}):
        write_corpus(corpus, tmp_path / "data")
    read = TableReader(tmp_path / "data" / "train.tsv").rows()
    assert [LabelledText(row.label, row.text_a) for row in read] == rows
    names = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert names == ["dev.tsv", "test.tsv", "train.tsv"]


def test_installed_packages_are_found_without_importing_them(monkeypatch):
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    folders = source_folders()
    assert tuple(folders) == PACKAGES
    assert "transformers" not in sys.modules
    assert all(next(source_files(path)) for path in folders.values())


def test_a_missing_package_is_named_with_a_remedy(monkeypatch):
    monkeypatch.setattr(docstrings, "PACKAGES", ("no_such_package",))
    with pytest.raises(ModuleNotFoundError, match=r"no_such_package`. Run"):
        source_folders()
