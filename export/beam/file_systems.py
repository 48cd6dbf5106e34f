"""Files of this machine, or of a file system that Beam opens (`gs://`)."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator

from apache_beam.io.filesystems import FileSystems


def is_remote(path: str) -> bool:
    """Whether a path has a scheme, such as `gs://`."""
    return "://" in path


def absolute(path: str) -> str:
    """The path as any worker understands it."""
    return path if is_remote(path) else os.path.abspath(path)


def matched_files(pattern: str) -> list[str]:
    """The files of a pattern, in order; a file's own name is none.

    Raises:
        FileNotFoundError: there is none.
    """
    if os.path.isfile(pattern):
        return [pattern]
    (match,) = FileSystems.match([pattern])
    paths = sorted(file.path for file in match.metadata_list)
    if not paths:
        raise FileNotFoundError(
            f"No input at {pattern}. Expected a file, or a pattern of files. "
            "Check --input_path."
        )
    return paths


def check_new(folder: str) -> None:
    """Refuses a folder with files, where renaming cannot replace it."""
    (match,) = FileSystems.match([f"{folder.rstrip('/')}/*"], limits=[1])
    if match.metadata_list:
        raise ValueError(
            f"{folder} holds {match.metadata_list[0].path}. Expected: nothing "
            "there. Remove it, or choose another path."
        )


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
    """A path to read from; mistakes found there are told of `path`."""
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, os.path.basename(path))
        with FileSystems.open(path) as source, open(local, "wb") as target:
            shutil.copyfileobj(source, target)
        try:
            yield local
        except ValueError as error:
            raise ValueError(str(error).replace(local, path)) from error
