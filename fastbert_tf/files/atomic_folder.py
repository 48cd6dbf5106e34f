"""Replacing a folder: the old one stays until the new one is whole."""

import contextlib
import ctypes
import fcntl
import os
import shutil
from collections.abc import Iterator

from .atomic_file import sync

# Of `renameat2`, from Linux's `fcntl.h` and `fs.h`.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def replaced_folder(path: str, marker: str) -> Iterator[str]:
    """A fresh folder to write into, which takes the place of `path`.

    It lies beside `path` and is renamed when the block ends; if the block
    fails, it is removed and `path` is as before.

    Args:
        path: the folder to make or replace.
        marker: file name that tells a folder of ours from any other.

    Raises:
        ValueError: `path` is a file, a symbolic link or a folder of someone
            else, or another process is writing it.
        OSError: it cannot be written.
    """
    path = os.path.abspath(path)
    check_replaceable(path, marker)
    parent, name = os.path.split(path)
    os.makedirs(parent, exist_ok=True)
    partial = os.path.join(parent, f".{name}.partial")
    aside = os.path.join(parent, f".{name}.old")
    with _locked_folder(partial):
        try:
            _tidy(path, aside)
            yield partial
            _sync_tree(partial)
            _swap(partial, path, aside)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def check_replaceable(path: str, marker: str) -> None:
    """Refuses a path that `replaced_folder` would refuse, before the work."""
    found = _what_is_in_the_way(path, marker)
    if found:
        raise ValueError(
            f"{path} is {found}. Expected: nothing there, an empty folder, "
            f"or one with a {marker}, which is replaced. Choose another path."
        )


def _what_is_in_the_way(path: str, marker: str) -> str:
    if os.path.islink(path):
        return "a symbolic link"
    if os.path.exists(path) and not os.path.isdir(path):
        return "a file"
    names = os.listdir(path) if os.path.isdir(path) else []
    if names and marker not in names:
        return "a folder with other contents"
    return ""


@contextlib.contextmanager
def _locked_folder(folder: str) -> Iterator[None]:
    """Makes `folder`, empty, and keeps other processes out of it.

    The lock is on the folder itself and goes with the process: what a killed
    one left behind is taken over.
    """
    os.makedirs(folder, exist_ok=True)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    descriptor = os.open(folder, flags)
    try:
        _lock(descriptor, folder)
        _empty(folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: str) -> None:
    busy = ValueError(
        f"Another process is writing {folder}. Expected one writer at a "
        "time. Wait for it, or choose another path."
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise busy from error
    # The other one may have renamed it between our open and our lock.
    if not os.path.exists(folder) or not os.path.samestat(
        os.fstat(descriptor), os.stat(folder)
    ):
        raise busy


def _empty(folder: str) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.remove(entry.path)


def _tidy(path: str, aside: str) -> None:
    """Puts back, or removes, what a killed process had set aside."""
    if os.path.lexists(path):
        shutil.rmtree(aside, ignore_errors=True)
    elif os.path.lexists(aside):
        os.rename(aside, path)


def _swap(partial: str, path: str, aside: str) -> None:
    """Puts `partial` in the place of `path`.

    Where the two can change places in one step, a reader or a kill finds the
    old folder or the new one; elsewhere nothing is there for an instant, and
    a killed writer leaves the old one aside, where the next one finds it.
    """
    if not os.path.lexists(path):
        os.rename(partial, path)
        sync(os.path.dirname(path))
        return
    with _locked(path):
        if _exchange(partial, path):
            sync(os.path.dirname(path))
            shutil.rmtree(partial, ignore_errors=True)
            return
    os.rename(path, aside)
    try:
        os.rename(partial, path)
    except BaseException:
        os.rename(aside, path)
        raise
    sync(os.path.dirname(path))
    shutil.rmtree(aside, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Keeps a folder from being taken over as one that a killed writer left.

    That is what the old one looks like once it lies in the place of the new.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _exchange(one: str, other: str) -> bool:
    """Swaps two folders in one step; False where that cannot be done."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    paths = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    return rename(*paths, _RENAME_EXCHANGE) == 0


def _sync_tree(folder: str) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            sync(os.path.join(parent, name))
        sync(parent)
