"""What an installed copy of the packages says and carries."""

import configparser
import subprocess
import sys

import fastbert_tf

from .architecture_test import PACKAGES, ROOT

_SETUP = configparser.ConfigParser()
_SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


def test_the_version_is_read_where_the_package_says_it() -> None:
    code = (
        "from setuptools.config.setupcfg import read_configuration as read;"
        "print(read('setup.cfg')['metadata']['version'])"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    version = subprocess.check_output(command, cwd=ROOT, text=True)
    assert version.split()[-1] == fastbert_tf.__version__


def test_every_package_carries_its_mark_of_being_typed() -> None:
    carried = dict(_SETUP["options.package_data"])
    for folder in PACKAGES:
        name = f"fastbert_tf.{folder}".removesuffix(".fastbert_tf")
        assert "py.typed" in carried[name].split()
        assert (ROOT / folder / "py.typed").exists()
