"""The room of the settings: what is set, who says so, and how this installation is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from riffapp import __version__, doctor, settings
from riffapp.doctor import Finding
from riffapp.jobs.worker import sentence_for
from riffapp.setting_values import DEVICES
from riffapp.settings import FIELDS, Origin
from riffapp.studio import checkpoints
from riffapp.studio.files import SOUND_SUFFIXES
from riffapp.ui import say
from riffapp.ui.frame import headline
from riffapp.ui.here import is_here
from riffapp.ui.map import Room
from riffapp.ui.say import plain

KEY = "preferences"
_FRESH_S = 60.0
_SAID = "preferences_said"
_ICONS = {True: ":material/check_circle:", False: ":material/error:", None: ":material/info:"}


@dataclass(frozen=True, kw_only=True)
class Group:
    """Settings that belong together: what each is called, and when a change of one holds."""

    title: str
    names: Mapping[str, str]
    holds: str


_NEXT = "A change holds from the next piece on."
_START = "A change holds when riffapp is started again."
GROUPS = (
    Group(
        title="Files",
        names={
            "outputs": "Folder of finished files",
            "name_pattern": "Their names",
            "suffix": "Format of sounds",
            "previews": "Show what forms",
        },
        holds=_NEXT,
    ),
    Group(
        title="Models",
        names={
            "checkpoint": "Checkpoint for loops",
            "image_checkpoint": "Checkpoint for pictures",
            "models_dirs": "Folders of models",
        },
        holds=_NEXT,
    ),
    Group(
        title="This machine",
        names={"device": "Device", "threads": "Threads"},
        holds=_NEXT,
    ),
    Group(
        title="Who may come in",
        names={
            "hosts": "Names of this server",
            "password_file": "File of the password",
            "password": "Password",
        },
        holds=_START,
    ),
    Group(
        title="Beyond the page",
        names={"home": "Home folder", "plain": "No colours on the terminal"},
        holds=_START,
    ),
)
_SWITCHES = ("previews", "plain")
_SEPARATORS = {"models_dirs": os.pathsep, "hosts": ","}


def page() -> None:
    """Draw the room."""
    file = str(settings.file_of()) if is_here() else settings.FILE
    headline("Settings", f"Kept in {plain(file)}, which can be edited by hand too.")
    try:
        found, remarks = settings.origins(), settings.remarks()
    except Exception as error:
        say.error(sentence_for(error))
        return
    for remark in remarks:
        say.warning(remark)
    if not is_here():
        say.warning(
            "settings are changed on the computer that riffapp runs on, here or by "
            "`riffapp config set`; from elsewhere they can be looked at"
        )
    told = st.session_state.pop(_SAID, None)
    if told is not None:
        st.success(plain(told), icon=":material/check:")
    if (refusal := st.session_state.pop(f"{KEY}_refusal", None)) is not None:
        say.error(refusal)
    for group in GROUPS:
        _group(group, found)
    st.button(
        "Save", key="preferences_save", type="primary", icon=":material/save:",
        on_click=_save, shortcut="Ctrl+Enter", disabled=not is_here(),
    )  # fmt: skip
    _installation()


def _group(group: Group, found: Mapping[str, Origin]) -> None:
    st.header(group.title, anchor=False)
    st.caption(group.holds)
    grid = st.grid(2, min_column_width=300, key=f"preferences_{group.title}", gap="medium")
    for name, label in group.names.items():
        with grid.cell():
            _setting(name, label, found[name])


# ---- one setting


def _setting(name: str, label: str, one: Origin) -> None:
    """Its widget, who says so, and what it means."""
    locked = _is_locked(name, one)
    key = _key(name)
    st.session_state.setdefault(key, shown(name, one.value))
    if name in _SWITCHES:
        st.toggle(label, key=key, disabled=locked)
    elif (options := _options(name)) is not None:
        is_open = name != "suffix"
        options = list(dict.fromkeys([*options, st.session_state[key]]))
        st.selectbox(label, options, key=key, disabled=locked, accept_new_options=is_open)
    else:
        st.text_input(label, key=key, disabled=locked)
    st.caption(plain(f"{_sentence(one.words)} {said_by(name, one)}"))
    if one.origin == settings.FILE and not locked:
        st.button(
            "Back to the default", key=f"{key}_unset", type="tertiary", icon=":material/undo:",
            on_click=_unset, args=(name, label), help=f"Takes {label} out of {settings.FILE}",
        )  # fmt: skip


def _is_locked(name: str, one: Origin) -> bool:
    return not is_here() or FIELDS[name].instead != "" or one.origin.startswith("environment")


def said_by(name: str, one: Origin) -> str:
    """Who says so, and where it can be changed if not here."""
    if one.origin.startswith("environment"):
        return f"Set by the environment variable {one.variable}, which goes before this page."
    if one.origin == settings.FILE:
        return f"Set in {settings.FILE}."
    told = "Not set." if one.value in (None, ()) else "As it comes."
    if one.origin != "default":
        told = f"Set by {one.origin}."
    instead = FIELDS[name].instead
    return f"{told} {_sentence(instead)}" if instead else told


def shown(name: str, value: object) -> Any:
    """A value as its widget has it; where things lie is for who sits at the machine."""
    if name in _SWITCHES:
        return bool(value)
    if isinstance(value, tuple):
        return _SEPARATORS[name].join(shown(name, one) for one in value)
    if isinstance(value, Path) and not is_here():
        return value.name
    return "" if value is None else str(value)


def _options(name: str) -> list[str] | None:
    if name == "device":
        return list(DEVICES)
    if name == "suffix":
        return list(SOUND_SUFFIXES)
    if name in ("checkpoint", "image_checkpoint"):
        wants = name == "checkpoint"
        return [ref for ref in checkpoints.names() if checkpoints.has_sound(ref) == wants]
    return None


def _key(name: str) -> str:
    return f"{KEY}_{name}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


# ---- changes


def _save() -> None:
    """Everything that was changed, in one go or not at all; an emptied field has its default."""
    changes: dict[str, object | None] = {}
    try:
        for name, one in settings.origins().items():
            value = st.session_state.get(_key(name))
            if not _is_locked(name, one) and value != shown(name, one.value):
                changes[name] = None if value in ("", None) else value
        settings.save(changes)
        settings.load()  # what goes together with what is seen here first
    except Exception as error:
        st.session_state[f"{KEY}_refusal"] = sentence_for(error)
        return
    count = len(changes)
    st.session_state[_SAID] = (
        "Nothing was changed." if not count else f"{count} change{'s' * (count > 1)} saved."
    )
    _redrawn()


def _unset(name: str, label: str) -> None:
    try:
        settings.save({name: None})
    except Exception as error:
        st.session_state[f"{KEY}_refusal"] = sentence_for(error)
        return
    st.session_state[_SAID] = f"{label}: as it comes."
    _redrawn()


def _redrawn() -> None:
    """The widgets as the settings are now."""
    for name, one in settings.origins().items():
        st.session_state[_key(name)] = shown(name, one.value)


# ---- this installation


def _installation() -> None:
    findings = _findings(str(settings.load().outputs))
    broken = [finding for finding in findings if finding.ok is False]
    st.header("This installation", anchor=False)
    st.markdown(
        f"riffapp {__version__}, free software under the GNU General Public License, version 3 or "
        "later. Checkpoints have licences of their own: **Models** names each."
    )
    words = f"{len(broken)} to mend" if broken else "nothing is broken"
    with st.expander(f"What was found: {words}", icon=_ICONS[not broken], expanded=bool(broken)):
        for finding in findings:
            st.markdown(f"{_ICONS[finding.ok]} **{plain(finding.subject)}** {plain(finding.words)}")
        st.caption("`riffapp doctor` says the same on the command line, and tries it all out.")


@st.cache_data(ttl=_FRESH_S, show_spinner=False)
def _findings(outputs: str) -> tuple[Finding, ...]:
    """What can be found without trying anything out, and whether there is room for what is made."""
    where = Path(outputs)
    while not where.exists():
        where = where.parent
    return (
        doctor.python(sys.version_info[:2]),
        *doctor.matched_set(doctor.version_of),
        *doctor.base(doctor.version_of),
        *doctor.extras(doctor.version_of),
        *doctor.embedded(),
        doctor.disk(where),
    )


ROOMS = (Room(key=KEY, title="Settings", icon=":material/settings:", group="More", page=page),)
