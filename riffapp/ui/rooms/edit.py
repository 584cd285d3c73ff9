"""The room where a part of a sound is done again, or the sound is played on."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs.tasks.edit import KIND, Edit, Extend
from riffapp.jobs.tasks.sources import Opened
from riffapp.studio.checkpoints import Sound
from riffapp.studio.plan import plan_loop
from riffapp.studio.types import MAX_SEED, LoopRequest
from riffapp.ui import visitor
from riffapp.ui.components import opened, region, sound_settings
from riffapp.ui.components.player import player
from riffapp.ui.components.source import given, source
from riffapp.ui.components.words_box import words_box
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall
from riffapp.ui.results import results

PLACE, MASK = "edit_source", "edit_mask"
TAKES = 8
AGAIN, ON = "A part again", "Play on"
_WELCOME = (
    "Choose some bars and a band of a sound and have them done again under your words: the rest "
    "stays as it is. Or have it played on."
)
_EMPTY = (
    "What you change appears here.",
    "Send a result to Edit to go on with it; to go back, send an earlier one.",
)


def page() -> None:
    """Draw the room as the session has it now."""
    headline("Edit", _WELCOME)
    begun = sound_settings.begin(KIND)
    if begun is None:
        return
    found, sound = begun
    recall({"edit_way": AGAIN, "edit_words": "", "edit_strength": 1.0, "edit_takes": 2})
    recall({"edit_before": 0, "edit_after": 2})
    region.begin(KIND)
    shown = opened.opened(
        PLACE,
        "Sound, or a spectrogram PNG",
        checkpoint=st.session_state.edit_checkpoint,
        sound=sound,
        help="A loop or a recording of up to 20 minutes",
    )
    if shown is not None:
        _show(shown)
    left, right = bench()
    with left:
        _wish(shown, sound)
        more = st.container()
    with right:
        results(KIND, empty=_EMPTY)
    with more, st.expander("Advanced", icon=":material/tune:"):
        if st.session_state.edit_way == AGAIN:
            source(MASK, "Mask: white is done again, black stays, grey is in between", "picture")
        sound_settings.sound_settings(KIND, found, rate=False)


def fill(task: Edit | Extend) -> None:
    """Put an edit's settings into the widgets, its source too."""
    from riffapp.studio.remake import Region

    opened.fill(PLACE, task.source, name=f"the source of {task.title}")
    put({"edit_words": task.request.prompt, "edit_takes": task.takes})
    sound_settings.fill(KIND, task.request, suffix=task.suffix)
    if isinstance(task, Extend):
        put({"edit_way": ON, "edit_before": task.before, "edit_after": task.after})
        return
    put({"edit_way": AGAIN, "edit_strength": task.strength})
    bars, band = (task.first_bar, task.last_bar), (task.low_hz, task.high_hz)
    told = Region(first_bar=bars[0], last_bar=bars[1], low_hz=band[0], high_hz=band[1])
    region.fill(KIND, told)
    st.session_state[MASK] = task.mask


def _show(shown: Opened) -> None:
    """The source; what is drawn on its picture goes into the boxes below."""
    selects = st.session_state.edit_way == AGAIN
    face = opened.face(shown, name=opened.title(PLACE), selects=selects)
    drawn = player(face, key="edit_player").region
    if selects:
        region.follow(KIND, drawn, shown)


def _wish(shown: Opened | None, sound: Sound) -> None:
    way = st.segmented_control(
        "What to do", (AGAIN, ON), key="edit_way", required=True, label_visibility="collapsed"
    )
    if way == AGAIN:
        region.boxes(KIND)
    words_box(
        "edit_words", sound, "What should play there?",
        placeholder="empty: what its own file was asked for",
        help="Instruments and moods in your own words",
    )  # fmt: skip
    left, middle, right = st.columns(3, wrap=False)
    if way == AGAIN:
        left.number_input(
            "Strength", step=0.1, format="%g", key="edit_strength",
            help="1 is new; below, something of what was there stays; 0 changes nothing",
        )  # fmt: skip
    else:
        left.number_input("Bars before", step=1, key="edit_before", help="It is led into")
        middle.number_input("Bars after", step=1, key="edit_after", help="It is played on")
    (middle if way == AGAIN else right).number_input(
        "Takes", step=1, key="edit_takes", help=f"1 to {TAKES}, each with a seed of its own"
    )
    st.button(
        "Do it again" if way == AGAIN else "Play on", key="edit_make", type="primary",
        icon=":material/auto_fix_high:", width="stretch", on_click=visitor.attempt,
        args=(KIND, _task, shown, sound), shortcut="Ctrl+Enter",
    )  # fmt: skip


def _task(shown: Opened | None, sound: Sound) -> Edit | Extend:
    """What the widgets say. Raises what refuses it."""
    s, whole = st.session_state, opened.wanted(shown, PLACE)
    told = sound_settings.said(KIND, rate=False)
    request = opened.planned(whole, sound, prompt=s.edit_words, **told)
    _refuse_takes(s.edit_takes, request)
    make = _extend if s.edit_way == ON else _edit
    return make(whole, request, sound)


def _extend(whole: Opened, request: LoopRequest, sound: Sound) -> Extend:
    s = st.session_state
    before, after = s.edit_before, s.edit_after
    if before < 0 or after < 0 or before + after == 0:
        raise UsageError(f"{before} bars before and {after} after: give 1 or more in all")
    plan_loop(replace(request, bars=before + request.bars + after), sound)
    return Extend(
        source=whole.source,
        request=request,
        before=before,
        after=after,
        takes=s.edit_takes,
        suffix=sound_settings.suffix(KIND),
    )


def _edit(whole: Opened, request: LoopRequest, _: Sound) -> Edit:
    s, wanted, mask = st.session_state, region.region(KIND), given(MASK)
    if not 0 <= s.edit_strength <= 1:
        raise UsageError(f"strength {s.edit_strength:g} is outside 0 to 1: give one within")
    region.refuse(wanted, mask, whole)
    return Edit(
        source=whole.source,
        request=request,
        first_bar=wanted.first_bar,
        last_bar=wanted.last_bar,
        low_hz=wanted.low_hz,
        high_hz=wanted.high_hz,
        mask=mask,
        strength=s.edit_strength,
        takes=s.edit_takes,
        suffix=sound_settings.suffix(KIND),
    )


def _refuse_takes(takes: int, request: LoopRequest) -> None:
    if not 1 <= takes <= TAKES:
        raise UsageError(f"takes {takes}: 1 to {TAKES} are made at a time")
    if request.seed + takes - 1 > MAX_SEED:
        raise UsageError(f"{takes} takes from seed {request.seed} on pass {MAX_SEED}: begin lower")


ROOMS = (
    Room(
        key=KIND,
        title="Edit",
        icon=":material/edit:",
        group="Sound",
        page=page,
        fill=fill,
        keys={"prompt": "edit_words", "seed": "edit_seed"},
        takes={"sound": PLACE, "picture": PLACE},
    ),
)
