"""The Dockerfile names what there is, as far as reading it can tell."""

import configparser
import json
import re
from typing import NamedTuple

from .architecture_test import ROOT

_SETUP = configparser.ConfigParser()
_SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


class Instruction(NamedTuple):
    """A line, continued lines joined: what it does, and with what."""

    name: str
    rest: str


def instructions() -> list[Instruction]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line]


def rests(name: str) -> list[str]:
    return [x.rest for x in instructions() if x.name == name]


def entry_point() -> list[str]:
    (command,) = rests("ENTRYPOINT")
    return json.loads(command)


def copied() -> list[str]:
    """Paths copied from the checkout."""
    sources = [x.split()[:-1] for x in rests("COPY") if "--from=" not in x]
    return [path for paths in sources for path in paths]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied()
    for path in copied():
        assert (ROOT / path).exists()
        assert f"!{path}" in kept


def test_all_that_the_metadata_and_the_packages_name_is_copied() -> None:
    metadata = _SETUP["metadata"]
    named = {metadata["long_description"].split()[-1]}
    named |= {metadata["license_files"], "setup.cfg", "pyproject.toml"}
    folders = _SETUP["options"]["package_dir"].split("\n")
    named |= {line.split("=")[1].strip() for line in folders if line}
    assert named == set(copied())


def test_the_extras_that_are_installed_exist() -> None:
    (extras,) = re.findall(r"\$1\[([\w,]+)\]", " ".join(rests("RUN")))
    extras = extras.split(",")
    assert extras == ["serve", "openvino"]
    assert set(extras) <= set(_SETUP["options.extras_require"])


def test_the_python_is_one_the_package_is_for() -> None:
    versions = re.findall(r"python:([0-9.]+)-slim", " ".join(rests("FROM")))
    assert len(set(versions)) == 1
    classifiers = _SETUP["metadata"]["classifiers"]
    assert f"Python :: {versions[0]}" in classifiers


def test_the_command_and_its_flags_exist() -> None:
    command, *flags = entry_point()
    scripts = _SETUP["options.entry_points"]["console_scripts"]
    found = re.search(rf"^{command} = ([\w.]+):run$", scripts, re.MULTILINE)
    assert found
    module = found[1].removeprefix("fastbert_tf.").replace(".", "/")
    source = (ROOT / f"{module}.py").read_text(encoding="utf-8")
    names = [re.match(r"--(\w+)=", flag)[1] for flag in flags]
    assert all(f'"{name}"' in source for name in names)


def test_the_health_check_asks_the_port_that_is_served() -> None:
    (check,) = rests("HEALTHCHECK")
    arguments = json.loads(check.partition("CMD")[2])
    assert arguments[:2] == ["python", "-c"]
    compile(arguments[2], "HEALTHCHECK", "exec")
    port, path = re.search(r"127\.0\.0\.1:(\d+)(/[\w/]+)", check).groups()
    assert f"--port={port}" in entry_point()
    assert rests("EXPOSE") == [port]
    server = (ROOT / "export/server").rglob("*.py")
    assert any(path in x.read_text(encoding="utf-8") for x in server)


def test_the_server_is_process_one_and_not_root() -> None:
    names = [x.name for x in instructions()]
    assert rests("USER")[-1] not in ("root", "0")
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert f"useradd --system --no-create-home {rests('USER')[-1]}" in " ".join(
        rests("RUN")
    )
    assert rests("STOPSIGNAL") == ["SIGTERM"]
    assert isinstance(entry_point(), list)
