"""Where imports may point, how large things may be, what is public."""

import ast
import doctest
import importlib
import inspect
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from fastbert_tf.commands import shared_flags

ROOT = pathlib.Path(__file__).parent.parent
PACKAGES = ("fastbert_tf", "segments", "export")
LOWER = {  # Packages that each may import.
    "fastbert_tf": {"fastbert_tf"},
    "segments": {"fastbert_tf", "segments"},
    "export": {"fastbert_tf", "segments", "export"},
}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 50


def python_files(*folders: str) -> list[pathlib.Path]:
    """Files by their real place: not by the links in `fastbert_tf`."""
    links = (ROOT / "fastbert_tf/segments", ROOT / "fastbert_tf/export")
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not any(link in path.parents for link in links)
    ]


def name_of(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def module_name(path: pathlib.Path) -> str:
    """`segments/driver.py` is `fastbert_tf.segments.driver`."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] != "fastbert_tf":
        parts.insert(0, "fastbert_tf")
    return ".".join(parts).removesuffix(".__init__")


def tree_of(path: pathlib.Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: pathlib.Path) -> Iterator[tuple[str, bool]]:
    """Every name imported, absolute, and whether it was written relatively."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1]
            start = start if node.level else []
            base = [*start, *filter(None, [node.module])]
            for alias in node.names:
                yield ".".join([*base, alias.name]), node.level > 0


def package_of(name: str) -> str | None:
    """The package of ours that an absolute name belongs to."""
    parts = name.split(".")
    if parts[0] != "fastbert_tf":
        return None
    is_upper = len(parts) > 1 and parts[1] in PACKAGES
    return parts[1] if is_upper else "fastbert_tf"


SOURCES = python_files(*PACKAGES)
EVERYTHING = [*SOURCES, *python_files("tests")]
each_source = pytest.mark.parametrize("path", SOURCES, ids=name_of)
each_file = pytest.mark.parametrize("path", EVERYTHING, ids=name_of)


@each_source
def test_imports_point_one_way(path: pathlib.Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = {package_of(name) for name, _ in imports(path)} - {None}
    assert ours <= LOWER[package]


@each_source
def test_imports_are_relative_inside_a_package_only(
    path: pathlib.Path,
) -> None:
    package = path.relative_to(ROOT).parts[0]
    for name, is_relative in imports(path):
        if package_of(name):
            assert is_relative == (package_of(name) == package), name


@each_file
def test_packages_are_not_imported_by_their_folder(
    path: pathlib.Path,
) -> None:
    roots = {name.split(".")[0] for name, _ in imports(path)}
    assert not roots & {"segments", "export"}


@each_source
def test_commands_are_imported_by_nothing(path: pathlib.Path) -> None:
    for name, _ in imports(path):
        parts = name.split(".")
        if parts[0] == "fastbert_tf" and "commands" in parts:
            assert "commands" in path.parts
            shared = parts[parts.index("commands") + 1]
            assert shared in ("launch", "shared_flags")


@each_source
def test_own_modules_are_imported_at_the_top(path: pathlib.Path) -> None:
    for function in functions(path):
        for node in ast.walk(function):
            names = getattr(node, "names", [])
            if isinstance(node, ast.Import):
                assert not any(package_of(alias.name) for alias in names)
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert not package_of(node.module)


SCHEDULING = (
    "scheduler",
    "engine.online_scheduler",
    "engine.admission",
    "engine.launch_costs",
)


@pytest.mark.parametrize("name", SCHEDULING)
def test_scheduling_rests_on_the_standard_library(name: str) -> None:
    each_other = {f"fastbert_tf.segments.{module}" for module in SCHEDULING}
    path = ROOT / "segments" / f"{name.replace('.', '/')}.py"
    for imported, _ in imports(path):
        is_ours = imported.rpartition(".")[0] in each_other
        assert is_ours or imported.split(".")[0] in sys.stdlib_module_names


SLEEPERS = {  # What may sleep, and why its verdict is not one of time.
    "tests/export/beam/lost_workers_test.py": "waits for processes to end",
    "tests/export/crashes_test.py": "kills at a random moment; slow",
    "tests/export/server/conftest.py": "polls until a thing happens",
    "tests/segments/benchmarks/loadgen_test.py": "a model that takes long",
}


@pytest.mark.parametrize("path", python_files("tests"), ids=name_of)
def test_tests_do_not_sleep(path: pathlib.Path) -> None:
    """A sleep is a guess about the machine; clocks are simulated instead."""
    calls = [x.func for x in ast.walk(tree_of(path)) if isinstance(x, ast.Call)]
    sleeps = [x for x in calls if ast.unparse(x) == "time.sleep"]
    assert not sleeps or name_of(path) in SLEEPERS


@each_file
def test_files_are_short(path: pathlib.Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_FILE_LINES


def functions(path: pathlib.Path) -> list[ast.FunctionDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [x for x in ast.walk(tree_of(path)) if isinstance(x, kinds)]


def num_lines(function: ast.FunctionDef) -> int:
    """Lines without the docstring."""
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - (docstring.end_lineno - docstring.lineno + 1)


@each_file
def test_functions_are_short(path: pathlib.Path) -> None:
    for function in functions(path):
        assert num_lines(function) <= MAX_FUNCTION_LINES, function.name


@each_source
def test_signatures_are_annotated(path: pathlib.Path) -> None:
    for function in functions(path):
        arguments = function.args
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        given += [x for x in (arguments.vararg, arguments.kwarg) if x]
        bare = {x.arg for x in given if x.annotation is None}
        assert bare <= {"self", "cls"}, function.name
        is_initializer = function.name == "__init__"
        assert function.returns is not None or is_initializer, function.name


@each_source
def test_modules_have_a_docstring(path: pathlib.Path) -> None:
    assert ast.get_docstring(tree_of(path))


PUBLIC = [
    importlib.import_module(module_name(path))
    for path in SOURCES
    if path.name == "__init__.py" and "__all__" in path.read_text("utf-8")
]


@each_source
def test_packages_take_public_names_of_each_other(path: pathlib.Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    public = {
        f"{package.__name__}.{name}"
        for package in PUBLIC
        for name in package.__all__
    }
    # The packages themselves, and what commands share.
    public |= {package.__name__ for package in PUBLIC}
    public.add("fastbert_tf.commands.launch.launch")
    public |= {f"{shared_flags.__name__}.{x}" for x in vars(shared_flags)}
    others = {x for x, _ in imports(path) if package_of(x) not in (None, own)}
    assert others <= public


@pytest.mark.parametrize("package", PUBLIC, ids=lambda x: x.__name__)
def test_public_names_are_documented_and_there(package: Any) -> None:
    order = sorted(package.__all__, key=_constants_first)
    assert list(package.__all__) == order
    for name in package.__all__:
        value = getattr(package, name)
        if not name.isupper():
            assert inspect.getdoc(value), name
            assert inspect.getdoc(value) != inspect.getdoc(type(value)), name


def _constants_first(name: str) -> tuple[bool, bool, str]:
    """Constants, then classes, then functions: ruff's order."""
    return not name.isupper(), not name[0].isupper(), name


EXAMPLES = [path for path in SOURCES if ">>>" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", EXAMPLES, ids=name_of)
def test_docstring_examples_run(path: pathlib.Path) -> None:
    module = importlib.import_module(module_name(path))
    results = doctest.testmod(module)
    assert results.attempted
    assert not results.failed


def test_there_are_docstring_examples() -> None:
    assert EXAMPLES
