"""The room where a loop is made from words."""

from __future__ import annotations

import streamlit as st

from riffapp.jobs.tasks.loops import Loops
from riffapp.studio.checkpoints import Sound
from riffapp.studio.plan import plan_loop
from riffapp.ui import restore, visitor
from riffapp.ui.components import sound_settings, wish
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.results import results

KIND = "loop"
_WELCOME = (
    "Say what should play and press **Make a loop**. It comes out exactly in tempo, repeats "
    "without a seam, and is made on this computer alone."
)
_EMPTY = (
    "Your loop appears here.",
    "A picture of its sound, time from left to right and pitch from bottom to top, "
    "a player that repeats it, and the files to take home.",
)


def page() -> None:
    """Draw the room as the session has it now."""
    headline("Loops from words", _WELCOME)
    begun = wish.begin()
    if begun is None:
        return
    found, sound = begun
    left, right = bench()
    with left:
        _controls(sound)
        more = st.container()
    with right:
        results(KIND, empty=_EMPTY, play=st.session_state.play)
    with more:  # late, for its names of samplers bring the whole core along
        wish.advanced(found)
        restore.zone("loop_given")


def fill(task: Loops) -> None:
    """Put a loop's settings into the widgets, its seed too."""
    wish.fill(task.request, suffix=task.suffix)


def _controls(sound: Sound) -> None:
    wish.prompt_box(sound)
    wish.music()
    st.button(
        "Make a loop",
        key="make",
        type="primary",
        icon=":material/graphic_eq:",
        width="stretch",
        on_click=visitor.attempt,
        args=(KIND, _task, sound),
        shortcut="Ctrl+Enter",
    )


def _task(sound: Sound) -> Loops:
    """What the widgets say. Raises what refuses it."""
    return Loops(request=plan_loop(wish.request(), sound), suffix=sound_settings.suffix(""))


ROOMS = (
    Room(
        key=KIND,
        title="Loop",
        icon=":material/graphic_eq:",
        group="Sound",
        page=page,
        fill=fill,
        keys={"prompt": "prompt", "seed": "seed"},
    ),
)
