"""The room where a sound is re-imagined under other words."""

from __future__ import annotations

import streamlit as st

from riffapp.jobs.tasks.remix import KIND, Remix
from riffapp.jobs.tasks.sources import Opened
from riffapp.studio.checkpoints import Sound
from riffapp.ui import visitor
from riffapp.ui.components import opened, sound_settings
from riffapp.ui.components.player import player
from riffapp.ui.components.wish import KEYS
from riffapp.ui.components.words_box import words_box
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall
from riffapp.ui.results import results

PLACE = "remix_source"
_WELCOME = (
    "Give a sound, and say what it should become. It keeps its length and its tempo; how much "
    "else of it stays, you choose."
)
_EMPTY = (
    "Your remix appears here.",
    "Beside the sound that it came from, so that you hear one after the other.",
)
# From which strength on what stays: of four loops, onsets and notes compared with their source's.
_MEANINGS = (
    (0.0, "gives it back"),
    (0.05, "nearly the same: its beats and notes, with a shade of the new words"),
    (0.3, "its beats and most of its notes, played anew"),
    (0.5, "its beats, and about half of its notes"),
    (0.7, "new: its tempo and length stay, and little else"),
)


def page() -> None:
    """Draw the room as the session has it now."""
    headline("Sound to sound", _WELCOME)
    begun = sound_settings.begin(KIND)
    if begun is None:
        return
    found, sound = begun
    recall({"remix_words": "", "remix_strength": 0.6, "remix_key": None})
    left, right = bench()
    with left:
        shown = opened.opened(
            PLACE,
            "Sound, or a spectrogram PNG",
            checkpoint=st.session_state.remix_checkpoint,
            sound=sound,
            help="A loop, a hummed melody, a recording: up to 20 minutes",
        )
        if shown is not None:
            player(opened.face(shown, name=opened.title(PLACE)), key="remix_before")
        _wish(sound)
        st.button(
            "Remix it", key="remix_make", type="primary", icon=":material/graphic_eq:",
            width="stretch", on_click=visitor.attempt, args=(KIND, _task, shown, sound),
            shortcut="Ctrl+Enter",
        )  # fmt: skip
        more = st.container()
    with right:
        results(KIND, empty=_EMPTY)
    with more, st.expander("Advanced", icon=":material/tune:"):
        sound_settings.sound_settings(KIND, found, rate=False)


def fill(task: Remix) -> None:
    """Put a remix's settings into the widgets, its source too."""
    opened.fill(PLACE, task.source, name=f"the source of {task.title}")
    put({"remix_words": task.request.prompt, "remix_strength": task.strength})
    put({"remix_key": task.request.key})
    sound_settings.fill(KIND, task.request, suffix=task.suffix)


def _wish(sound: Sound) -> None:
    words_box(
        "remix_words", sound, "What should it become?",
        placeholder="empty: what its own file was asked for",
        help="Instruments and moods in your own words",
    )  # fmt: skip
    strength = st.slider(
        "Strength", 0.0, 1.0, step=0.05, key="remix_strength",
        help="How far from the sound the new one may go",
    )  # fmt: skip
    st.caption(next(text for least, text in reversed(_MEANINGS) if strength >= least))
    st.selectbox(
        "Key", KEYS, key="remix_key", placeholder="that of its file, or any",
        format_func=lambda key: key.replace("#", "♯"), help="Said to the model with your words",
    )  # fmt: skip


def _task(shown: Opened | None, sound: Sound) -> Remix:
    """What the widgets say. Raises what refuses it."""
    s, given = st.session_state, opened.wanted(shown, PLACE)
    request = opened.planned(
        given, sound, prompt=s.remix_words, key=s.remix_key, **sound_settings.said(KIND, rate=False)
    )
    return Remix(
        source=given.source,
        request=request,
        strength=s.remix_strength,
        suffix=sound_settings.suffix(KIND),
    )


ROOMS = (
    Room(
        key=KIND,
        title="Sound to sound",
        icon=":material/swap_horiz:",
        group="Sound",
        page=page,
        fill=fill,
        keys={"prompt": "remix_words", "seed": "remix_seed"},
        takes={"sound": PLACE, "picture": PLACE},
    ),
)
