"""One way of the journey room: over a sound that somebody has, drawn again and again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs.tasks.journey import KIND, Passage
from riffapp.jobs.tasks.sources import Opened
from riffapp.studio.checkpoints import Sound
from riffapp.studio.plan import plan_loop
from riffapp.ui.components import opened, region, sound_settings
from riffapp.ui.components.player import player
from riffapp.ui.components.source import given, source
from riffapp.ui.components.words_box import words_box
from riffapp.ui.recall import put, recall

PLACE, MASK = "journey_source", "journey_mask"
_FIRST: dict[str, Any] = {
    "passage_from": "",
    "passage_to": "techno 909 drums, acid bass",
    "passage_points": 4,
    "passage_strength": 0.75,
    "passage_strength_there": None,
    "passage_seed_there": None,
}


def form(sound: Sound) -> Opened | None:
    """The boxes; what is opened of the sound comes out."""
    recall(_FIRST)
    shown = opened.opened(
        PLACE,
        "Sound, or a spectrogram PNG",
        checkpoint=st.session_state[f"{KIND}_checkpoint"],
        sound=sound,
        help="A loop of a few bars",
    )
    if shown is not None:
        player(opened.face(shown, name=opened.title(PLACE)), key="passage_before")
    words_box(
        "passage_from", sound, "From", placeholder="empty: what its own file was asked for",
        help="Under which words it is drawn first",
    )  # fmt: skip
    words_box("passage_to", sound, "To", help="Under which words it is drawn at last")
    left, right = st.columns(2, wrap=False)
    left.number_input("Steps", step=1, key="passage_points", help="Each is as long as the sound")
    right.number_input(
        "Seed at the end", value=None, step=1, key="passage_seed_there", placeholder="the same",
        help="The same seed keeps more in common on the way",
    )  # fmt: skip
    left.number_input(
        "Strength", step=0.05, format="%g", key="passage_strength",
        help="How far from the sound each step may go: above 0, 1 is new",
    )  # fmt: skip
    right.number_input(
        "Strength at the end", value=None, step=0.05, format="%g", placeholder="the same",
        key="passage_strength_there",
    )  # fmt: skip
    with st.expander("Mask", icon=":material/gradient:"):
        source(MASK, "Where it is black, the sound stays in each step", "picture")
    return shown


def task(sound: Sound, shown: Opened | None) -> Passage:
    """What the boxes say. Raises what refuses it."""
    s, whole, mask = st.session_state, opened.wanted(shown, PLACE), given(MASK)
    request = opened.planned(
        whole, sound, prompt=s.passage_from, **sound_settings.said(KIND, rate=False)
    )
    if mask is not None:
        region.refuse_mask(mask, whole)
    wanted = Passage(
        source=whole.source,
        request=request,
        goal=s.passage_to,
        goal_seed=s.passage_seed_there,
        goal_strength=s.passage_strength_there,
        points=s.passage_points,
        strength=s.passage_strength,
        mask=mask,
        suffix=sound_settings.suffix(KIND),
    )
    _refuse(wanted, sound)
    return wanted


def fill(wanted: Passage) -> None:
    """Put a passage's settings into the boxes, its source too."""
    opened.fill(PLACE, wanted.source, name=f"the source of {wanted.title}")
    st.session_state[MASK] = wanted.mask
    told = {"from": wanted.request.prompt, "to": wanted.goal, "points": wanted.points}
    told |= {"strength": wanted.strength, "strength_there": wanted.goal_strength}
    told |= {"seed_there": wanted.goal_seed}
    put({f"passage_{name}": value for name, value in told.items()})


def _refuse(wanted: Passage, sound: Sound) -> None:
    from riffapp.studio.passage import MAX_POINTS

    request, points = wanted.request, wanted.points
    if not 2 <= points <= MAX_POINTS:
        raise UsageError(f"{points} steps: give 2 to {MAX_POINTS}")
    for strength in (wanted.strength, wanted.goal_strength):
        if strength is not None and not 0 < strength <= 1:
            raise UsageError(f"strength {strength:g}: give more than 0 and at most 1")
    if not wanted.goal.strip():
        raise UsageError("no words are given for the end: say what should play there")
    goal_seed = request.seed if wanted.goal_seed is None else wanted.goal_seed
    plan_loop(replace(request, bars=points * request.bars), sound)
    plan_loop(replace(request, prompt=wanted.goal, seed=goal_seed), sound)
