"""Files that people upload: taken only when they are what they should be, whole and not too large.

Nothing that comes with a file is believed. What it is, its first bytes say (`sniff`); that it is
whole, a child process finds out by decoding all of it (`child`), so that a bomb, a lie in a header
or a decoder that falls over costs the server nothing. The bytes are kept exactly as they came,
under a name that the server makes of their SHA-256.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Set
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from audio import disk
from riffapp.errors import MachineError, UsageError
from riffapp.uploads import sniff
from riffapp.uploads.sniff import MAX_BYTES, Kind

__all__ = ["MAX_BYTES", "REFUSED", "Accepted", "Decoder", "Kind", "accept"]

REFUSED = 3  # the child's exit code where it says why
_PATIENCE_S = 90.0  # by the clock; the child's own limit counts only its work
_NAME_CHARS = 80
_SAID_BYTES = 2000
_AT_ONCE = threading.BoundedSemaphore(2)  # children, each with up to 2 GiB


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A file that was taken; `name` is what its owner calls it, for showing only."""

    path: Path
    sha256: str
    kind: Kind
    suffix: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """What decodes a file: a command that is given its path and suffix, and how long it may take.

    It exits with 0 where the file is good, and with REFUSED and a sentence without its subject on
    its output where it is not.
    """

    command: tuple[str, ...] = (sys.executable, "-P", "-m", "riffapp.uploads.child")
    patience_s: float = _PATIENCE_S


def accept(
    data: bytes | BinaryIO,
    name: str,
    *,
    kinds: Set[str],
    folder: Path,
    decoder: Decoder | None = None,
) -> Accepted:
    """The uploaded bytes as a file in `folder`, which is made where it is missing.

    Args:
        data: the bytes, or a file that holds them from its beginning.
        name: as the sender calls it; it decides nothing.
        kinds: which are wanted.
        folder: takes it as `<SHA-256><suffix>`; what is there already is not decoded again.
        decoder: another than the one of this package.
    Raises:
        UsageError: it is of another kind, too large, damaged or cut short.
        MachineError: it cannot be kept, or no process can be started (audio's or riffapp's).
    """
    shown = _shown(name)
    try:
        whole = _read(data)
        form = sniff.form_of(whole, kinds)
        digest = sha256(whole).hexdigest()
        path = folder / f"{digest}{form.suffix}"
        if not path.is_file():
            _keep(whole, path, form, decoder or Decoder())
    except UsageError as error:
        raise UsageError(f"{shown} {error}") from error
    return Accepted(path=path, sha256=digest, kind=form.kind, suffix=form.suffix, name=shown)


def _read(data: bytes | BinaryIO) -> bytes:
    if isinstance(data, bytes):
        return data
    data.seek(0)
    return data.read(max(MAX_BYTES.values()) + 1)


def _keep(whole: bytes, path: Path, form: sniff.Form, decoder: Decoder) -> None:
    """The bytes at `path`, if they can be decoded; nothing is left of them if not."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk.refusal(error, path.parent, "written") from error
    with disk.replacing(path) as file:
        file.write(whole)
        if form.needs_decoding:
            file.flush()
            _decode(Path(file.name), form.suffix, decoder)


def _decode(path: Path, suffix: str, decoder: Decoder) -> None:
    """Raises UsageError, without its subject, where the child finds fault with a file or falls."""
    with _AT_ONCE, tempfile.TemporaryFile() as said:
        try:
            code = subprocess.run(
                [*decoder.command, str(path), suffix],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.DEVNULL,
                env=_surroundings(),
                cwd=path.parent,
                timeout=decoder.patience_s,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            raise UsageError(
                f"was not decoded within {decoder.patience_s:g} s: export it again, or shorter"
            ) from None
        except OSError as error:
            raise MachineError(
                f"no process to check files in could be started ({error.strerror}): "
                "close other programs and try again"
            ) from error
        said.seek(0)
        sentence = " ".join(said.read(_SAID_BYTES).decode("utf-8", "replace").split())
    if code == REFUSED and sentence:
        raise UsageError(sentence)
    if code != 0:
        raise UsageError(
            f"brings its decoder down (it ended with {code}): export it again as WAV or PNG"
        )


def _surroundings() -> dict[str, str]:
    """The child's environment: where Python finds what this process has, and no secret of ours."""
    found = os.pathsep.join(os.path.abspath(place) for place in sys.path if place)
    return {"PYTHONPATH": found, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _shown(name: str) -> str:
    """The last part of a name, without what cannot be seen, and not endlessly long."""
    last = name.replace("\\", "/").rpartition("/")[2]
    seen = "".join(mark for mark in last if mark.isprintable()).strip()
    if len(seen) > _NAME_CHARS:
        seen = seen[: _NAME_CHARS - 1] + "…"
    return seen or "the file"
