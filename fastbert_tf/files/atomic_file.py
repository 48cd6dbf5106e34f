"""Writing a file so that it is there as a whole, or not at all."""

import contextlib
import os
from collections.abc import Iterator


def check_output_file(path: str) -> None:
    """Refuses a path that a file cannot be written to, before the work.

    Raises:
        FileNotFoundError: its folder does not exist.
        PermissionError: its folder may not be written to.
        ValueError: something that is not a file is there.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"There is no folder for {path}. Expected: {folder}. Make it "
            "first, or choose another path."
        )
    if os.path.lexists(path) and not os.path.isfile(path):
        raise ValueError(
            f"{path} is not a file. Expected: nothing there, or a file, "
            "which is replaced. Choose another path."
        )
    if not os.access(folder, os.W_OK):
        raise PermissionError(
            f"{folder} cannot be written to. Expected: a folder that takes "
            f"{os.path.basename(path)}. Choose another path."
        )


@contextlib.contextmanager
def replaced_file(path: str) -> Iterator[str]:
    """A path to write to, renamed to `path` when the block ends.

    If the block fails, it is removed and `path` is as before.
    """
    check_output_file(path)
    folder, name = os.path.split(os.path.abspath(path))
    partial = os.path.join(folder, f".{name}.{os.getpid()}.partial")
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(partial)


def sync(path: str) -> None:
    """Waits until `path` is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
