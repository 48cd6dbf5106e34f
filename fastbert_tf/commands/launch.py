"""Starts a command: what all of them share around their `main`."""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from absl import app, logging

# What the library raises when the fault is in the files, flags or packages
# it was given. Anything else is a defect here and keeps its traceback.
_USER_MISTAKES = (ValueError, TypeError, ImportError, OSError)

Main = Callable[[Sequence[str]], Any]


def launch(main: Main) -> None:
    """Parses the flags, runs `main`, and exits.

    A user's mistake ends as one line on stderr, `error: ...`, and status 1;
    `--verbosity=1` adds its traceback. Flags that absl refuses end as absl
    ends them.

    TensorFlow's native messages at startup cannot be turned down from here:
    it reads `TF_CPP_MIN_LOG_LEVEL` while it is imported, which is earlier.

    Args:
        main: takes the arguments that are not flags, program name first.
    """
    app.run(functools.partial(report_mistakes, main))


def report_mistakes(main: Main, argv: Sequence[str]) -> Any:
    """What `main(argv)` returns, or 1 once a mistake is on stderr."""
    try:
        return main(argv)
    except _USER_MISTAKES as error:
        logging.debug("The mistake was found here:", exc_info=True)
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"error: {message}", file=sys.stderr)
        return 1
