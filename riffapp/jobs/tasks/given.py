"""Files that people gave, under the names that they gave them: among the inputs they are hashes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from audio.errors import AudioError
from riffapp.errors import RiffappError
from riffapp.jobs.desk import whole


@contextmanager
def called(names: Mapping[str, Path]) -> Iterator[Path]:
    """A folder that holds files under these names while it is open.

    What is refused of them meanwhile is refused by their names alone.
    """
    with tempfile.TemporaryDirectory(prefix="riffapp-") as folder:
        for name, source in names.items():
            _lay(source, Path(folder) / name)
        try:
            yield Path(folder)
        except (RiffappError, AudioError) as error:
            said = str(error).replace(f"{folder}{os.sep}", "")
            raise type(error)(said) from error


def named(source: Path, name: str) -> str:
    """A file's name as its giver knows it: no folder in it, and the ending that fits its bytes."""
    stem = Path(name.replace("\\", "/")).name
    stem = Path(stem).stem.strip(". \0") or source.stem
    return stem + source.suffix


def second_name(source: Path, place: Path) -> None:
    """The same bytes at another place: a second name for them where the disk has such, else a copy.

    What is there already goes.
    """
    place.unlink(missing_ok=True)
    try:
        os.link(source, place)
    except OSError:
        whole(place, lambda path: shutil.copyfile(source, path))


def _lay(source: Path, place: Path) -> None:
    """By a link, which costs nothing; where there are none, by a copy."""
    try:
        place.symlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, place)
