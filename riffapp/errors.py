"""What riffapp refuses, and whose fault it is.

    RiffappError
    ├── UsageError      the user's: a setting, a word or a file to change   (exit code 2)
    └── MachineError    the machine's: disk full, memory, unreadable        (exit code 3)

The two cores have trees of their own; `blame` reads all three.
"""

from __future__ import annotations

from pathlib import Path

USER, MACHINE = 2, 3


class RiffappError(Exception):
    """One sentence: what was given, what is allowed, what to do."""


class UsageError(RiffappError):
    """Something that the user can put right."""


class MachineError(RiffappError):
    """Something that the machine lacks or refuses."""


def blame(error: BaseException) -> tuple[int, str] | None:
    """The exit code and the one sentence for an expected error; None for a defect of ours."""
    import audio.disk
    import audio.errors
    import sdcore.errors

    if isinstance(error, MachineError | audio.errors.MachineError | sdcore.errors.MachineError):
        return MACHINE, _sentence(error)
    if isinstance(error, RiffappError | audio.errors.AudioError | sdcore.errors.SdError):
        return USER, _sentence(error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return MACHINE, "out of memory: ask for fewer bars or takes, or close other programs"
    if isinstance(error, OSError):
        return blame(audio.disk.refusal(error, Path(error.filename or "a file"), "used"))
    return None


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
