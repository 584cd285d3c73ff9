"""The error tree of the sound library.

    AudioError
    +-- ParameterError   what was asked for is not possible: ask for something else
    +-- FileError        a file of the user's is missing, unreadable or of the wrong kind
    +-- MachineError     the machine failed: the disk is full, the file is not writable

Every message is one sentence: what was given, what is allowed, what to do.
"""

from __future__ import annotations


class AudioError(Exception):
    """Any refusal or failure of the sound library."""


class ParameterError(AudioError):
    """A setting that this library does not allow."""


class FileError(AudioError):
    """A file of the user's that cannot be used as asked."""


class MachineError(AudioError):
    """The machine could not do its part: no space, no permission, no library."""
