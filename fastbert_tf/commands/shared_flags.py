"""Flags of more than one command: one name, one meaning, one set of bounds.

BUILD.md has them in a table, which a test keeps equal to what is defined.
"""

from collections.abc import Sequence

from absl import flags

# `--help` shows a flag under the module that defines it: the command's.
flags.disclaim_key_flags()
MEANINGS = {
    "model_dir": "Folder that training wrote.",
    "bundle_dir": "Folder of a bundle, as fastbert-export writes it.",
    "test_path": "TSV, CSV, JSONL (also with .gz) or Parquet with `label`, "
    "`text_a` and, for pairs, `text_b`.",
    "input_path": "Texts to answer.",
    "output_path": "To write the answers or figures to.",
    "bad_rows_path": "File for the rows stepped over.",
    "max_bad_rows": "Malformed rows of a file to step over.",
    "speed": "A row leaves when its uncertainty is under it; 0 never.",
    "speeds": "Values of --speed, by commas.",
    "precision": "What the network computes in.",
    "max_batch_size": "Rows that run together, at most.",
    "epochs_num": "Epochs of stage 1.",
    "distill_epochs_num": "Epochs of stage 2.",
    "seed": "Of all that is drawn: fresh weights, dropout, shuffling.",
    "num_layers": "Blocks of the network.",
    "deadline_millis": "Until an answer is late, from a request's arrival.",
}


def meaning(name: str, more: str = "") -> str:
    """The help of a shared flag, and what one command has to add."""
    return f"{MEANINGS[name]} {more}".rstrip()


def define_text(
    name: str,
    values: flags.FlagValues,
    more: str = "",
    default: str | None = None,
    required: bool = False,
) -> None:
    """Adds a shared flag that is a path."""
    flags.DEFINE_string(
        name, default, meaning(name, more), values, required=required
    )


def define_count(
    name: str,
    values: flags.FlagValues,
    default: int | None,
    lowest: int = 0,
    more: str = "",
) -> None:
    """Adds a shared flag that counts something."""
    flags.DEFINE_integer(
        name, default, meaning(name, more), lowest, flag_values=values
    )


def define_speed(
    values: flags.FlagValues, more: str, default: float | None = None
) -> None:
    """Adds `--speed`; who uses it checks that it is in [0, 1]."""
    flags.DEFINE_float(
        "speed", default, meaning("speed", more), flag_values=values
    )


def define_deadline(
    values: flags.FlagValues, more: str, default: float | None = None
) -> None:
    """Adds `--deadline_millis`."""
    text = meaning("deadline_millis", more)
    flags.DEFINE_float(
        "deadline_millis", default, text, 1.0, flag_values=values
    )


def define_precision(
    values: flags.FlagValues,
    choices: Sequence[str],
    more: str = "",
    default: str | None = "float32",
) -> None:
    """Adds `--precision`."""
    flags.DEFINE_enum(
        "precision", default, choices, meaning("precision", more), values
    )


def define_bad_rows(values: flags.FlagValues) -> None:
    """Adds `--max_bad_rows` and `--bad_rows_path`."""
    define_count("max_bad_rows", values, 0)
    define_text("bad_rows_path", values)


def define_batch_size(values: flags.FlagValues) -> None:
    """Adds `--max_batch_size`."""
    define_count("max_batch_size", values, 32, 1)


def define_old_name(old: str, new: str, values: flags.FlagValues) -> None:
    """Lets `--old` set `--new`; `--help` does not tell of it."""
    flags.DEFINE_alias(old, new, values, module_name="earlier names")
