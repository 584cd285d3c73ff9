"""What may stand in a setting: one function for each kind of value.

Each takes a value, or text that means one, as it stands in the environment; its ValueError says
what to give.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from riffapp import naming

DEVICES = ("auto", "cpu", "cuda", "mps")
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")


def text(value: object) -> str:
    """Something printable on one line."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("give words on one line")
    return value


def device(value: object) -> str:
    """One of DEVICES, or one of several such as 'cuda:1'."""
    if str(value).split(":")[0] not in DEVICES:
        raise ValueError(f"known are {', '.join(DEVICES)}")
    return str(value)


def count(value: object) -> int:
    """A whole number above 0."""
    digits = "" if isinstance(value, bool) else str(value)
    if not digits.isascii() or not digits.isdecimal() or int(digits) < 1:
        raise ValueError("give a whole number from 1 up")
    return int(digits)


def switch(value: object) -> bool:
    """True or false, also as yes and no, on and off, 1 and 0."""
    word = str(value).lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueError("give true or false")
    return word in _TRUE


def path(value: object) -> Path:
    """A path as it was given: it may be relative, or begin with ~, and need not be there."""
    given = value if isinstance(value, Path) else Path(text(value))
    try:
        given.expanduser()
    except RuntimeError:  # ~ of a person who is not known
        raise ValueError("write the path out, without ~") from None
    return given


def paths(value: object) -> tuple[Path, ...]:
    """Paths, in text parted as in PATH."""
    return tuple(path(one) for one in _listed(value, os.pathsep))


def hosts(value: object) -> tuple[str, ...]:
    """Names or addresses of machines, in text parted by commas."""
    found = tuple(str(one).strip().lower() for one in _listed(value, ","))
    if not all(_HOST.fullmatch(host) for host in found):
        raise ValueError("give names such as studio.example.org, without http:// and without port")
    return found


def suffix(value: object) -> str:
    """The ending of a sound file, with or without its dot."""
    from riffapp.studio.files import SOUND_SUFFIXES

    ending = "." + str(value).lower().lstrip(".")
    if ending not in SOUND_SUFFIXES:
        raise ValueError(f"known are {', '.join(SOUND_SUFFIXES)}")
    return ending


def pattern(value: object) -> str:
    """A pattern of file names, as `naming` has it."""
    return naming.checked(text(value))


def _listed(value: object, separator: str) -> list[object]:
    if isinstance(value, str):
        return [one for one in value.split(separator) if one.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError(f"give a list, or text parted by '{separator}'")
    return list(value)
