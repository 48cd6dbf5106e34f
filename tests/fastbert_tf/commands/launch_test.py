"""What every command shares: how mistakes and defects end."""

import sys

import pytest
from absl import flags

from fastbert_tf.commands.launch import describe, report_mistakes


@pytest.mark.parametrize(
    "mistake",
    [
        ValueError("a\n  b"),
        TypeError("a b"),
        ImportError("a b"),
        FileNotFoundError("a b"),
        PermissionError("a b"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(mistake, capsys):
    def main(argv):
        raise mistake

    assert report_mistakes(main, ["x"]) == 1
    assert capsys.readouterr() == ("", "error: a b\n")


def test_a_mistake_without_words_is_named(capsys):
    def main(argv):
        raise ValueError

    assert report_mistakes(main, ["x"]) == 1
    assert capsys.readouterr().err == "error: ValueError\n"


def test_a_defect_keeps_its_traceback():
    def main(argv):
        raise KeyError("defect")

    with pytest.raises(KeyError):
        report_mistakes(main, ["x"])


def test_the_status_of_main_is_kept():
    assert report_mistakes(lambda argv: 3, ["x"]) == 3


def test_help_tells_of_the_command(monkeypatch):
    values = flags.FlagValues()
    flag = flags.Flag(
        flags.ArgumentParser(), None, "of_the_command", None, "Its help."
    )
    values["of_the_command"] = flag
    values.register_flag_by_module(__name__, flag)
    monkeypatch.setattr(sys.modules["__main__"], "__doc__", "pip's")

    def main(argv):
        return argv

    describe(main, values)
    assert sys.modules["__main__"].__doc__ == __doc__
    assert "--of_the_command: Its help." in values.main_module_help()
