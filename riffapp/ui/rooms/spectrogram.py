"""The room between sounds and their pictures, and for what is done with a finished sound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from riffapp import settings
from riffapp.errors import RiffappError, UsageError
from riffapp.jobs.tasks.finished import OfSound
from riffapp.jobs.tasks.spectrogram import KIND, Drawing, Hearing, OfFile, Playing, Refining
from riffapp.studio.files import SOUND_SUFFIXES
from riffapp.studio.types import RATES
from riffapp.ui import say, visitor
from riffapp.ui.components import sound_settings
from riffapp.ui.components.source import give, given, source
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall, said
from riffapp.ui.results import results
from riffapp.ui.rooms import finishing

PLACE = "spectrogram_source"
_WELCOME = (
    "A sound becomes its picture, a picture its sound, ours or Riffusion's. Or take a finished "
    "sound further: hear what it is, make it loud, change its tempo, take it apart."
)
_EMPTY = (
    "What you make appears here.",
    "Give a sound or a picture on this page, or send one here from another room.",
)
_FIRST: dict[str, Any] = {
    "spectrogram_tool": None,
    "spectrogram_bpm": None,
    "spectrogram_stereo": False,
    "spectrogram_quality": "fast",
    "spectrogram_own_rate": None,
    "spectrogram_melody": True,
    "spectrogram_loop_bars": None,
}


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One thing that can be done: what it is to people, its form, and the task that it asks for."""

    words: str
    meaning: str
    button: str
    icon: str
    # "sound" or "picture": what it is done with.
    of: str
    form: Callable[[], None]
    # With the file's place, name and how it is kept.
    task: Callable[[Mapping[str, Any], Mapping[str, Any]], OfFile]
    # Whether a sound comes of it, whose format can be chosen.
    keeps: bool = True


def page() -> None:
    """Draw the room as the session has it now."""
    headline("Spectrogram ⇄ sound", _WELCOME)
    try:
        found = settings.load()
    except RiffappError as error:
        say.error(str(error))
        return
    recall(
        {
            **_FIRST,
            **finishing.FIRST,
            "spectrogram_suffix": found.suffix,
            "spectrogram_bit_depth": "16",
        }
    )
    left, right = bench()
    with left:
        _controls()
    with right:
        results(KIND, empty=_EMPTY)


def _controls() -> None:
    path = source(
        PLACE, "A sound, or a spectrogram picture", "sound", "picture",
        help="A PNG of riffapp or Riffusion plays; any sound can be drawn",
    )  # fmt: skip
    kind = None if path is None else "sound" if path.suffix in SOUND_SUFFIXES else "picture"
    fitting = [name for name, tool in TOOLS.items() if kind in (None, tool.of)]
    if st.session_state.spectrogram_tool not in fitting:
        put({"spectrogram_tool": fitting[0]})
    st.pills(
        "What to do with it", fitting, key="spectrogram_tool", required=True, wrap=True,
        format_func=lambda name: TOOLS[name].words,
    )  # fmt: skip
    tool = TOOLS[st.session_state.spectrogram_tool]
    st.caption(tool.meaning)
    tool.form()
    if tool.keeps:
        sound_settings.keeping("spectrogram", rate=False)
    st.button(
        tool.button, key="spectrogram_make", type="primary", icon=tool.icon, width="stretch",
        on_click=visitor.attempt, args=(KIND, _task, tool), shortcut="Ctrl+Enter",
    )  # fmt: skip


# ---- forms ------------------------------------------------------------------------------------


def _draw() -> None:
    left, right = st.columns(2, wrap=False, vertical_alignment="bottom")
    left.number_input(
        "Its tempo (BPM)", step=1.0, format="%g", key="spectrogram_bpm",
        placeholder="as its file says",
        help="A loop of whole beats is drawn on the beat grid, any other sound on Riffusion's",
    )  # fmt: skip
    right.toggle("Stereo", key="spectrogram_stereo", help="Left in green, right in blue")


def _play() -> None:
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "Tempo (BPM)", step=1.0, format="%g", key="spectrogram_bpm", placeholder="its own",
        help="A loop's picture plays at any tempo, exactly",
    )  # fmt: skip
    right.selectbox(
        "Rate", (None, *RATES), key="spectrogram_own_rate", placeholder="Its own",
        format_func=lambda hz: "Its own" if hz is None else f"{hz / 1000:g} kHz",
    )  # fmt: skip
    finishing.quality_box()


def _hear() -> None:
    left, right = st.columns(2, wrap=False, vertical_alignment="bottom")
    left.toggle("Its melody, as MIDI", key="spectrogram_melody", help="The notes of what leads")
    right.number_input(
        "Where it loops, in bars", step=1, key="spectrogram_loop_bars", placeholder="do not look",
        help="Where the sound can be cut into a loop of so many bars",
    )  # fmt: skip


# ---- tasks ------------------------------------------------------------------------------------


def _task(tool: Tool) -> OfFile:
    """What the widgets say. Raises what refuses it."""
    path = given(PLACE)
    if path is None:
        raise UsageError(f"nothing is given: choose a {tool.of}, or send one here")
    file = {"source": path, "name": str(st.session_state.get(f"{PLACE}_name", ""))}
    kept: dict[str, Any] = {}
    if tool.keeps:
        kept["suffix"] = sound_settings.suffix("spectrogram")
        kept["bit_depth"] = st.session_state.spectrogram_bit_depth
    task = tool.task(file, kept)
    task.refuse()
    return task


def _drawing(file: Mapping[str, Any], _: Mapping[str, Any]) -> Drawing:
    s = said
    checkpoint = settings.load().checkpoint
    return Drawing(
        **file, bpm=s.spectrogram_bpm, stereo=s.spectrogram_stereo, checkpoint=checkpoint
    )


def _playing(file: Mapping[str, Any], kept: Mapping[str, Any]) -> Playing:
    s = said
    quality, rate = s.spectrogram_quality, s.spectrogram_own_rate
    return Playing(**file, **kept, bpm=s.spectrogram_bpm, quality=quality, rate=rate)


def _refining(file: Mapping[str, Any], kept: Mapping[str, Any]) -> Refining:
    return Refining(**file, **kept, quality=said.spectrogram_quality)


def _hearing(file: Mapping[str, Any], _: Mapping[str, Any]) -> Hearing:
    s = said
    return Hearing(**file, melody=s.spectrogram_melody, loop_bars=s.spectrogram_loop_bars)


TOOLS: Mapping[str, Tool] = {
    "draw": Tool(
        words="Picture",
        meaning="The sound's spectrogram: time to the right, pitch upwards.",
        button="Draw it",
        icon=":material/image:",
        of="sound",
        form=_draw,
        task=_drawing,
        keeps=False,
    ),
    "play": Tool(
        words="Sound",
        meaning="What the picture sounds like, at any tempo.",
        button="Play it",
        icon=":material/graphic_eq:",
        of="picture",
        form=_play,
        task=_playing,
    ),
    "refine": Tool(
        words="More detail",
        meaning="Twice the bands and frames: sharper attacks and partials.",
        button="Refine it",
        icon=":material/blur_on:",
        of="picture",
        form=finishing.quality_box,
        task=_refining,
    ),
    "hear": Tool(
        words="Analyse",
        meaning="Its tempo, key, chords and melody, as read or heard.",
        button="Listen to it",
        icon=":material/hearing:",
        of="sound",
        form=_hear,
        task=_hearing,
        keeps=False,
    ),
    "export": Tool(
        words="Export",
        meaning="Ready to be used: a loudness, repeats, a click, another format.",
        button="Export it",
        icon=":material/ios_share:",
        of="sound",
        form=finishing.export_form,
        task=finishing.exporting,
    ),
    "retime": Tool(
        words="Tempo and pitch",
        meaning="Another tempo, another pitch, each without the other.",
        button="Change it",
        icon=":material/speed:",
        of="sound",
        form=finishing.retime_form,
        task=finishing.stretching,
    ),
    "part": Tool(
        words="Stems",
        meaning="What sustains and what strikes, apart, on one clock.",
        button="Take it apart",
        icon=":material/call_split:",
        of="sound",
        form=finishing.part_form,
        task=finishing.parting,
    ),
    "clip": Tool(
        words="Clips",
        meaning="Many short pieces of a long sound, from bars on or anywhere.",
        button="Cut clips",
        icon=":material/content_cut:",
        of="sound",
        form=finishing.clip_form,
        task=finishing.clipping,
    ),
}


# ---- and back ---------------------------------------------------------------------------------


def fill(task: OfFile) -> None:
    """Put a task's settings into the widgets, its file too."""
    give(PLACE, task.source, name=task.shown)
    told: dict[str, Any]
    if isinstance(task, Drawing):
        told = {"tool": "draw", "bpm": task.bpm, "stereo": task.stereo}
    elif isinstance(task, Playing):
        told = {"tool": "play", "bpm": task.bpm, "own_rate": task.rate, "quality": task.quality}
    elif isinstance(task, Refining):
        told = {"tool": "refine", "quality": task.quality}
    elif isinstance(task, Hearing):
        told = {"tool": "hear", "melody": task.melody, "loop_bars": task.loop_bars}
    else:
        assert isinstance(task, OfSound)  # all others are
        told = finishing.told_of(task)
    if isinstance(task, OfSound | Playing | Refining):
        told |= {"suffix": task.suffix, "bit_depth": task.bit_depth}
    put({f"spectrogram_{name}": value for name, value in told.items()})


ROOMS = (
    Room(
        key=KIND,
        title="Spectrogram",
        icon=":material/blur_linear:",
        group="Sound",
        page=page,
        fill=fill,
        takes={"sound": PLACE, "picture": PLACE},
    ),
)
