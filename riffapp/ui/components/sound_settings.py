"""How a sound is drawn and kept: what every room of sounds has behind Advanced.

Each room has its own, under `<prefix>_<field of the request>` in the session, or under the field
alone where the prefix is empty; `suffix` is the format of the file. A room calls `begin` first,
draws `sound_settings` or one half of them, and asks `said` in the callback of its button.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from riffapp import settings
from riffapp.errors import RiffappError
from riffapp.settings import Settings
from riffapp.studio import checkpoints, files
from riffapp.studio.checkpoints import Sound
from riffapp.studio.types import (
    BIT_DEPTHS,
    MAX_PROMPT_CHARS,
    MAX_SEED,
    MAX_TAKES,
    RATES,
    LoopRequest,
)
from riffapp.ui import say
from riffapp.ui.components.controls import key
from riffapp.ui.components.words_box import unknown
from riffapp.ui.recall import apart, drop, put, recall, redraw

DEPTHS = {"16": "16 bit", "24": "24 bit", "float": "32 bit float"}
_OWN = ("steps", "cfg", "sampler", "schedule")  # what each checkpoint likes best
_FIELDS = ("negative", "seed", *_OWN, "quality", "rate", "bit_depth", "checkpoint")


def begin(prefix: str) -> tuple[Settings, Sound] | None:
    """The settings and the sound of the room's checkpoint, its widgets filled where nothing is set.

    A checkpoint that is not there any more is said and given up for that of the settings. None,
    with the sentence on the page, where that one makes no sound either.
    """
    name = key(prefix, "checkpoint")
    try:
        found = settings.load()
        recall({name: found.checkpoint})
    except RiffappError as error:
        say.error(str(error))
        return None
    try:
        sound = checkpoints.read_sound(st.session_state[name])
    except RiffappError as error:
        say.error(str(error))
        if st.session_state[name] == found.checkpoint:
            return None
        put({name: found.checkpoint})
        _forget(prefix)
        return begin(prefix)
    first: dict[str, Any] = {name: getattr(sound, name) for name in _OWN}
    first |= {"negative": "", "seed": None, "quality": "fast"}
    first |= {"rate": RATES[0], "bit_depth": BIT_DEPTHS[0], "suffix": found.suffix}
    recall({key(prefix, name): value for name, value in first.items()})
    return found, sound


def said(prefix: str, *, rate: bool = True) -> dict[str, Any]:
    """What is set, by the fields of a LoopRequest; a seed that is left open is -1."""
    names = [name for name in _FIELDS if rate or name != "rate"]
    told = {name: st.session_state[key(prefix, name)] for name in names}
    return told | {"seed": -1 if told["seed"] is None else told["seed"]}


def suffix(prefix: str) -> str:
    """The format of the file. Raises UsageError where it cannot hold the bit depth."""
    found = str(st.session_state[key(prefix, "suffix")])
    files.refuse_depth(Path(f"sound{found}"), st.session_state[key(prefix, "bit_depth")])
    return found


def fill(prefix: str, request: LoopRequest, *, suffix: str) -> None:
    """Put a request's settings into the widgets."""
    put({key(prefix, name): getattr(request, name) for name in _FIELDS})
    put({key(prefix, "suffix"): suffix})


def sound_settings(
    prefix: str,
    found: Settings,
    *,
    suffixes: Sequence[str] = files.SOUND_SUFFIXES,
    rate: bool = True,
) -> None:
    """All of it; without `rate` where the sound keeps that of another one."""
    drawing(prefix, found)
    keeping(prefix, suffixes=suffixes, rate=rate)


def drawing(prefix: str, found: Settings) -> None:
    """Words to leave out, seed, checkpoint, and how the picture is drawn and turned into sound."""
    _drawing(prefix, found, st.session_state[key(prefix, "checkpoint")])


@apart
def _drawing(prefix: str, found: Settings, checkpoint: str) -> None:
    if st.session_state[key(prefix, "checkpoint")] != checkpoint:  # another one knows other words
        redraw()
    from audio.phase import QUALITIES
    from sdcore.samplers import SAMPLERS
    from sdcore.schedules import SCHEDULES

    st.text_input(
        "Leave out", key=key(prefix, "negative"), max_chars=MAX_PROMPT_CHARS,
        placeholder="hi-hats, reverb", help="Negative prompt: what should not be heard",
    )  # fmt: skip
    unknown(st.session_state[key(prefix, "negative")], checkpoints.read_sound(checkpoint))
    _seed(prefix)
    sounding = checkpoints.instruments(found.roots)
    now = st.session_state[key(prefix, "checkpoint")]
    known = tuple(dict.fromkeys((found.checkpoint, *sounding, now)))
    if len(known) > 1:
        st.selectbox(
            "Checkpoint", known, key=key(prefix, "checkpoint"), on_change=_forget, args=(prefix,),
            format_func=lambda ref: Path(ref).name, help="The model that makes the sound",
        )  # fmt: skip
    left, right = st.columns(2, wrap=False)
    left.number_input("Steps", step=1, key=key(prefix, "steps"), help="More is slower and finer")
    right.number_input(
        "Guidance (CFG)", step=0.5, format="%g", key=key(prefix, "cfg"),
        help="How closely the words are followed",
    )  # fmt: skip
    left.selectbox("Sampler", tuple(SAMPLERS), key=key(prefix, "sampler"))
    right.selectbox("Schedule", tuple(SCHEDULES), key=key(prefix, "schedule"))
    st.segmented_control(
        "Quality", tuple(QUALITIES), required=True, key=key(prefix, "quality"),
        format_func=str.capitalize, help="How long the picture is turned into sound",
    )  # fmt: skip


@apart
def keeping(
    prefix: str, *, suffixes: Sequence[str] = files.SOUND_SUFFIXES, rate: bool = True
) -> None:
    """Format of the file, its rate and its bit depth."""
    suffix = key(prefix, "suffix")
    if st.session_state[suffix] not in suffixes:
        put({suffix: suffixes[0]})
    with st.container(horizontal=True):
        st.selectbox("Format", suffixes, key=suffix, width=110, format_func=lambda s: s[1:].upper())
        if rate:
            st.selectbox(
                "Rate", RATES, key=key(prefix, "rate"), width=130,
                format_func=lambda hz: f"{hz / 1000:g} kHz",
            )  # fmt: skip
        packed = st.session_state[suffix] in (".ogg", ".mp3")
        whole = st.session_state[suffix] == ".flac"
        st.selectbox(
            "Depth", BIT_DEPTHS[:2] if whole else BIT_DEPTHS, key=key(prefix, "bit_depth"),
            width=150, format_func=DEPTHS.__getitem__, disabled=packed,
            help="Of WAV and FLAC; FLAC has no float",
        )  # fmt: skip


def _seed(prefix: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Seed", value=None, step=1, key=key(prefix, "seed"), width=220,
            placeholder="a new one each time",
            help="The same seed and settings make the same sound",
        )  # fmt: skip
        st.button(
            "New seed", icon=":material/casino:", key=key(prefix, "new_seed"), on_click=_new_seed,
            args=(prefix,),
        )  # fmt: skip


def _new_seed(prefix: str) -> None:
    put({key(prefix, "seed"): secrets.randbelow(MAX_SEED - MAX_TAKES)})


def _forget(prefix: str) -> None:
    """Another checkpoint likes other settings best."""
    drop(key(prefix, name) for name in _OWN)
