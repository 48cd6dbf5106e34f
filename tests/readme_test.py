"""The README says what is so."""

import configparser
import pathlib
import re

import numpy as np
import pytest

from .readme_table import (
    CURVE,
    README,
    readme_parts,
    rendered_table,
    write_curve,
)

_SETUP = README.parent / "setup.cfg"


def test_the_table_is_what_was_measured() -> None:
    assert readme_parts()[1] == rendered_table()


def test_the_curve_is_what_was_measured(tmp_path: pathlib.Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="matplotlib needs it")
    write_curve(tmp_path / "curve.png")
    drawn, shown = (image.open(x) for x in (tmp_path / "curve.png", CURVE))
    # Fonts may move a pixel; another point is in another place.
    pixels = [np.asarray(x.convert("L").reduce(8)) for x in (drawn, shown)]
    assert np.abs(pixels[0].astype(int) - pixels[1]).max() < 64


def test_every_command_named_is_installed() -> None:
    setup = configparser.ConfigParser()
    setup.read(_SETUP, encoding="utf-8")
    scripts = setup["options.entry_points"]["console_scripts"]
    installed = set(re.findall(r"^(fastbert-[\w-]+) =", scripts, re.MULTILINE))
    text = README.read_text(encoding="utf-8")
    assert set(re.findall(r"fastbert-(?!tf)[\w-]+", text)) == installed


def test_every_flag_named_exists() -> None:
    text = README.read_text(encoding="utf-8")
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in README.parent.glob("*/commands/*.py")
    )
    flags = set(re.findall(r"--(\w+)=", text))
    assert flags
    assert {f for f in flags if f'"{f}"' not in sources} == set()


def test_the_code_imports_what_exists() -> None:
    import fastbert_tf
    from fastbert_tf import segments

    text = README.read_text(encoding="utf-8")
    for name in re.findall(r"\bfb\.(\w+)", text):
        assert hasattr(fastbert_tf, name)
    for name in re.findall(r"(?<!\.)\bsegments\.(\w+)", text):
        assert hasattr(segments, name)
