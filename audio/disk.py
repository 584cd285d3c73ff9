"""Files on disk: written whole or not at all, with the system's refusals as errors of ours."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from audio.errors import AudioError, FileError, MachineError

# What a full, failing or locked machine says; anything else is a name to correct.
_MACHINE_ERRNOS = frozenset(
    {
        errno.ENOSPC,
        errno.EFBIG,
        errno.EDQUOT,
        errno.EIO,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.ENOMEM,
        errno.EMFILE,
        errno.ENFILE,
    }
)


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path`; until all of it is on the disk, an older file there stays as it is.

    Raises MachineError where the disk is full or the place locked, FileError for a bad name.
    """
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file, open to write and read, that takes the place of `path` when it is whole.

    Raises as `write_whole` does; whatever is raised inside leaves what was at `path`.
    """
    path = Path(os.path.realpath(path))  # a link goes on pointing to its file
    # Short and unrelated to the name, which may be as long as a name can be.
    part = path.with_name(f".{uuid4().hex[:12]}.part")
    try:
        _refuse_locked(path)
        with part.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            part.chmod(path.stat().st_mode & 0o777)
        part.replace(path)
    except OSError as error:
        raise refusal(error, path, "written") from error
    finally:
        part.unlink(missing_ok=True)


def read_whole(path: Path) -> bytes:
    """All bytes of a file. Raises FileError or MachineError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise refusal(error, path, "read") from error


def refusal(error: OSError, path: Path, done: str) -> AudioError:
    """The error of ours for what the system said; `done` is "written" or "read"."""
    said = error.strerror or str(error)
    if error.errno in _MACHINE_ERRNOS:
        todo = "free some space or choose another folder"
        return MachineError(
            f"{path} cannot be {done} ({said}): {todo if done == 'written' else 'check its rights'}"
        )
    return FileError(f"{path} cannot be {done} ({said}): check the name")


def _refuse_locked(path: Path) -> None:
    """A write-protected file is not replaced, though its folder would allow that."""
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
