"""docs/api.md: every public name, from its docstring.

Write it anew with `python -m tests.api_page`.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_TOP = Path(__file__).parent.parent
PAGE = _TOP / "docs" / "api.md"
# In the order of the page; the rooms of each package follow it.
PACKAGES = (
    "fastbert_tf",
    "fastbert_tf.segments",
    "fastbert_tf.export",
)
_INTRODUCTION = """# Public names

Every name that README and the packages use of each other, by package. This
page is made from the docstrings by `python -m tests.api_page`.
"""
_SECTIONS = (
    "Args",
    "Call arguments",
    "Example",
    "Raises",
    "Reference",
    "Returns",
    "Yields",
)
_SECTION = re.compile(rf"({'|'.join(_SECTIONS)}(?:, (?:\w+))*):(.*)")
_ITEM = re.compile(r"([\w*][\w*, ]*?(?: \([^)]*\))?): (.*)")


def public_packages() -> list[Any]:
    """The packages with public names, each behind the one it belongs to."""
    found = []
    for package in PACKAGES:
        root = _TOP / package.rpartition(".")[2]
        for path in sorted(root.glob("**/__init__.py")):
            inside = path.parent.relative_to(root).parts
            if "__all__" in path.read_text(encoding="utf-8"):
                found.append(".".join((package, *inside)))
    order = [
        name
        for package in PACKAGES
        for name in sorted(found)
        if _package(name) == package
    ]
    return [importlib.import_module(name) for name in order]


def rendered_page() -> str:
    """The page in Markdown."""
    lines = [_INTRODUCTION, *_contents()]
    told: dict[int, str] = {}  # By identity: the package that told of it.
    for package in public_packages():
        lines += [f"\n## {package.__name__}\n", _first_line(package), ""]
        for name in package.__all__:
            value = getattr(package, name)
            if id(value) in told:
                lines.append(f"### `{name}`\n\nAs in `{told[id(value)]}`.\n")
                continue
            lines += _entry(name, value)
            if not name.isupper():
                told[id(value)] = package.__name__
    return "\n".join(lines).rstrip() + "\n"


def _package(name: str) -> str:
    inside = [x for x in PACKAGES if f"{name}.".startswith(f"{x}.")]
    return max(inside, key=len)


def _first_line(thing: Any) -> str:
    return inspect.getdoc(thing).splitlines()[0]


def _contents() -> Iterator[str]:
    yield "| package | names |"
    yield "|---|---|"
    for package in public_packages():
        names = ", ".join(f"`{name}`" for name in package.__all__)
        yield f"| `{package.__name__}` | {names} |"


def _entry(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, type) or callable(value):
        kind = "class " if isinstance(value, type) else ""
        yield f"### {kind}`{name}{_signature(value)}`\n"
        yield from _markdown(inspect.getdoc(value))
        if isinstance(value, type):
            yield from _methods(value)
    else:
        yield f"### `{name} = {value!r}`\n"


def _signature(value: Any) -> str:
    if isinstance(value, type) and issubclass(value, Exception):
        return ""
    text = str(inspect.signature(value))
    text = re.sub(r"<function (\w+) at 0x\w+>", r"\1", text)
    text = re.sub(r"'([^']*)'(?=[,)\]=| ]|$)", r"\1", text)
    return re.sub(r"(?:\w+\.)+(\w+)", r"\1", text)


def _methods(kind: type) -> Iterator[str]:
    """A line for every public method and property with a docstring."""
    fields = getattr(kind, "__annotations__", {})
    for name, member in vars(kind).items():
        if name in fields:
            continue
        if isinstance(member, property):
            described = f"`{name}`", member.fget
        elif isinstance(member, classmethod | staticmethod):
            described = f"`{name}()`", member.__func__
        else:
            described = f"`{name}()`", member
        title, function = described
        doc = inspect.getdoc(function) if inspect.isroutine(function) else None
        if doc and not name.startswith("_"):
            yield f"- {title}: {doc.split(chr(10) * 2)[0]}".replace("\n", " ")
    yield ""


def _markdown(doc: str) -> Iterator[str]:
    """A docstring, its sections as headings and lists."""
    in_list = in_code = is_doctest = False
    for line in doc.splitlines():
        stripped, section = line.strip(), _SECTION.fullmatch(line)
        if stripped.startswith(">>> ") and not is_doctest:
            is_doctest = True
            yield "```python"
        elif is_doctest and not stripped:
            is_doctest = False
            yield "```"
        in_code ^= stripped.startswith("```")
        item = _ITEM.fullmatch(stripped)
        if section and not in_code:
            in_list = section[1].split(",")[0] not in ("Example", "Reference")
            yield f"**{section[1]}**{section[2]}\n"
        elif in_list and item and line.startswith("    "):
            if line.startswith("     "):
                yield f"  {stripped}"
            else:
                yield f"- `{item[1]}`: {item[2]}"
        elif in_list and line.startswith("    "):
            yield f"  {stripped}"
        else:
            in_list = in_list and not stripped
            yield line
    yield "```\n" if is_doctest else ""


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(rendered_page(), encoding="utf-8")
