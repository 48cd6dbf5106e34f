"""The flags of all commands, as BUILD.md has them in a table.

Write it anew with `python -m tests.flags_table`.
"""

import configparser
import importlib
from pathlib import Path

from absl import flags

from fastbert_tf.commands.shared_flags import MEANINGS

_TOP = Path(__file__).parent.parent
BUILD = _TOP / "BUILD.md"
BEGIN, END = "<!-- flags -->\n", "<!-- end of flags -->"


def commands() -> dict[str, flags.FlagValues]:
    """The flags of each installed command, by its name less `fastbert-`."""
    setup = configparser.ConfigParser()
    setup.read(_TOP / "setup.cfg", encoding="utf-8")
    scripts = setup["options.entry_points"]["console_scripts"]
    found = {}
    for line in scripts.split("\n"):
        script, _, target = line.partition("=")
        if target:
            module = importlib.import_module(target.strip().split(":")[0])
            values = flags.FlagValues()
            module.define_flags(values)
            found[script.strip().removeprefix("fastbert-")] = values
    return found


def old_names(values: flags.FlagValues) -> dict[str, str]:
    """Earlier names of flags, with those they stand for."""
    hidden = values.flags_by_module_dict().get("earlier names", [])
    return {flag.name: flag.help.split("--")[1].rstrip(".") for flag in hidden}


def rendered_table() -> str:
    """Shared flags in Markdown, then what each command has alone."""
    of_command = commands()
    lines = [
        "| flag | says | of | earlier |",
        "|---|---|---|---|",
        *(_row(name, of_command) for name in MEANINGS),
        "",
    ]
    for command, values in of_command.items():
        hidden = old_names(values)
        alone = sorted(set(values) - set(MEANINGS) - set(hidden))
        listed = ", ".join(f"`{name}`" for name in alone)
        lines.append(f"- `fastbert-{command}` alone: {listed or 'none'}.")
    return "\n".join(lines) + "\n"


def _row(name: str, of_command: dict[str, flags.FlagValues]) -> str:
    having = [command for command, x in of_command.items() if name in x]
    earlier = sorted(
        {
            f"`{old}` ({command})"
            for command, values in of_command.items()
            for old, new in old_names(values).items()
            if new == name
        }
    )
    return (
        f"| `{name}` | {MEANINGS[name]} | {', '.join(having)} | "
        f"{', '.join(earlier)} |"
    )


def build_parts() -> tuple[str, str, str]:
    """What stands before BUILD.md's table, the table, what follows."""
    before, rest = BUILD.read_text(encoding="utf-8").split(BEGIN)
    table, after = rest.split(END)
    return before, table, after


if __name__ == "__main__":
    before, _, after = build_parts()
    text = before + BEGIN + rendered_table() + END + after
    BUILD.write_text(text, encoding="utf-8")
