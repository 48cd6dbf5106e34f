"""One name for one thing over all commands, as BUILD.md has it."""

from typing import Any

import pytest
from absl import flags

from fastbert_tf.commands.shared_flags import MEANINGS

from .flags_table import build_parts, commands, old_names, rendered_table

COMMANDS = commands()


def test_the_table_is_what_the_commands_define() -> None:
    assert build_parts()[1] == rendered_table()


def test_every_shared_flag_means_the_same() -> None:
    count: dict[str, int] = {}
    for values in COMMANDS.values():
        hidden = old_names(values)
        for name in values:
            if name in hidden:
                continue
            count[name] = count.get(name, 0) + 1
            if name in MEANINGS:
                assert MEANINGS[name] in values[name].help
    shared = {name for name, commands in count.items() if commands > 1}
    assert shared <= set(MEANINGS) <= set(count)


def kinds(name: str) -> set[Any]:
    return {
        (
            flag.flag_type(),
            getattr(flag.parser, "lower_bound", None),
            getattr(flag.parser, "upper_bound", None),
        )
        for values in COMMANDS.values()
        if name in values
        for flag in [values[name]]
    }


@pytest.mark.parametrize("name", sorted(MEANINGS))
def test_a_shared_flag_takes_the_same_values(name: str) -> None:
    assert len(kinds(name)) == 1


def given(command: str, **values: str) -> flags.FlagValues:
    module_flags = commands()[command]
    module_flags.unparse_flags()
    arguments = [f"--{name}={value}" for name, value in values.items()]
    module_flags([command, *arguments])
    return module_flags


@pytest.mark.parametrize(
    ("command", "old", "new", "text", "value"),
    [
        ("predict", "batch_size", "max_batch_size", "4", 4),
        ("score-beam", "batch_size", "max_batch_size", "4", 4),
        ("evaluate", "batch_size", "max_batch_size", "4", 4),
        ("evaluate", "output", "output_path", "a.jsonl", "a.jsonl"),
        ("evaluate", "plot", "plot_path", "a.png", "a.png"),
        ("benchmark", "output", "output_path", "a.jsonl", "a.jsonl"),
        ("benchmark", "deadline_ms", "deadline_millis", "500", 500.0),
        ("benchmark", "loadgen_ms", "loadgen_millis", "50", 50),
    ],
)
def test_earlier_names_still_set_their_flag(
    command: str, old: str, new: str, text: str, value: Any
) -> None:
    needed = {
        name: "x"
        for name in ("model_dir", "bundle_dir", "input_path", "test_path")
        if name in COMMANDS[command]
    }
    if command == "predict":
        del needed["bundle_dir"]
    if command == "score-beam":
        needed["output_path"] = "x"
    values = given(command, **needed, **{old: text})
    assert values[new].value == value


def test_help_has_no_earlier_name() -> None:
    for command, values in COMMANDS.items():
        shown = values.module_help(
            next(x for x in values.flags_by_module_dict() if "commands" in x)
        )
        for old, new in old_names(values).items():
            assert f"--{old}:" not in shown, command
            assert f"--{new}:" in shown, command


@pytest.mark.parametrize("text", ["batch_sizes", "outputs"])
def test_what_never_was_a_flag_is_refused(text: str) -> None:
    with pytest.raises(flags.UnrecognizedFlagError):
        given("predict", model_dir="x", **{text: "1"})
