"""What can go wrong in sdcore, and how it is said.

    SdError
    ├── RequestError        what was asked cannot be done: the user's input
    │   ├── UnknownName     a sampler, schedule, ... that no table holds
    │   └── PromptError     a prompt that cannot be meant
    ├── ModelError          a checkpoint that is missing, broken or of another kind
    ├── MachineError        the machine's fault: out of memory
    ├── Cancelled           raised by an `on_step` to stop a run
    └── Interrupted         raised by an `on_step` to stop a run and keep its estimate so far
        └── Skipped         to do so with the image in hand alone

Each message is one sentence: what was given, what is allowed, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class SdError(Exception):
    """The root of the tree."""


class RequestError(SdError):
    """What was asked cannot be done."""


class UnknownName(RequestError):
    """A name that no table holds; the message names the nearest one."""


class PromptError(RequestError):
    """A prompt that cannot be meant."""


class ModelError(SdError):
    """A checkpoint that is missing, broken or of another kind."""


class MachineError(SdError):
    """The machine could not do it."""


class Cancelled(SdError):
    """The caller's `on_step` asked to stop."""


class Interrupted(SdError):
    """The caller's `on_step` asked to stop here and to have what there is."""


class Skipped(Interrupted):
    """The caller's `on_step` asked to have this image as it is, and to go on with the next."""


def lookup(table: Mapping[str, T], name: str, kind: str) -> T:
    """The entry called `name`.

    Raises:
        UnknownName: no such entry; says which name is nearest and which are known.
    """
    if name in table:
        return table[name]
    folded = {known.casefold(): known for known in table}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    hint = f"nearest '{folded[near[0]]}'; " if near else ""
    raise UnknownName(f"unknown {kind} '{name}': {hint}known: {', '.join(sorted(table))}")
