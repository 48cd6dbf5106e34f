"""Starts a command: what all of them share around their `main`."""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, flags, logging

# What the library raises when the fault is in the files, flags or packages
# it was given. Anything else is a defect here and keeps its traceback.
_USER_MISTAKES = (
    ValueError,
    TypeError,
    ImportError,
    OSError,
    FloatingPointError,
)

Main = Callable[[Sequence[str]], Any]


def launch(main: Main, define_flags: Callable[[flags.FlagValues], Any]) -> None:
    """Defines and parses the flags, runs `main`, and exits.

    A user's mistake ends as one line on stderr, `error: ...`, and status 1;
    `--verbosity=1` adds its traceback. Flags that absl refuses end as absl
    ends them. `--help` prints the docstring of the command's module and its
    flags.

    TensorFlow's native messages at startup cannot be turned down from here:
    it reads `TF_CPP_MIN_LOG_LEVEL` while it is imported, which is earlier.

    Args:
        main: takes the arguments that are not flags, program name first.
        define_flags: adds the command's flags to those it is given.
    """
    define_flags(flags.FLAGS)
    describe(main, flags.FLAGS)
    app.run(functools.partial(report_mistakes, main))


def describe(main: Main, values: flags.FlagValues) -> None:
    """Makes `--help` tell of the module of `main`.

    absl tells of the program's main module, which is pip's few lines here.
    """
    sys.modules["__main__"].__doc__ = sys.modules[main.__module__].__doc__
    for flag in values.flags_by_module_dict().get(main.__module__, ()):
        values.register_key_flag_for_module(sys.argv[0], flag)


def report_mistakes(main: Main, argv: Sequence[str]) -> Any:
    """What `main(argv)` returns, or 1 once a mistake is on stderr."""
    try:
        return main(argv)
    except _USER_MISTAKES as error:
        logging.debug("The mistake was found here:", exc_info=True)
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"error: {message}", file=sys.stderr)
        return 1
