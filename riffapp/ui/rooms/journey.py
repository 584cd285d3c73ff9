"""The room of pieces that change on their way: by bars, from words to words, over a sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs.tasks.journey import KIND, Passage, Piece
from riffapp.studio.checkpoints import Sound
from riffapp.studio.plan import plan_loop
from riffapp.studio.timeline import parse_timeline
from riffapp.studio.types import (
    BEATS_PER_BAR,
    MAX_BARS,
    MAX_PROMPT_CHARS,
    Journey,
    LoopRequest,
    Mark,
    Variant,
)
from riffapp.ui import visitor
from riffapp.ui.components import rows, sound_settings
from riffapp.ui.components.wish import FIRST_BPM, FIRST_KEY, KEYS
from riffapp.ui.components.words_box import known_words, unknown, words_box
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall
from riffapp.ui.results import results
from riffapp.ui.rooms import passage

TIMELINE, JOURNEY, VARIANT, OVER = "Timeline", "Journey", "Variant", "Sound"
LOOP, ENDS = "A loop", "With a beginning and an end"
TAKES = 8
_WELCOME = (
    "A piece that changes on its way: bar by bar as you write it, from some words to others, or "
    "over a sound that you have."
)
_EMPTY = (
    "Your piece appears here.",
    "A picture of all of it, to be played from any bar, and the files to take home.",
)
_MEANINGS = {
    TIMELINE: "New words from a bar on; “add …” puts some on top of what plays.",
    JOURNEY: "From some words to others, and back again where it is a loop.",
    VARIANT: "A neighbour of a loop: nearly the same, or quite different.",
    OVER: "A sound drawn again and again, each time nearer to other words.",
}
_LINES = (
    {"bar": 1.0, "words": "minimal house 909 drums"},
    {"bar": 5.0, "words": "add rolling saw bass"},
    {"bar": 9.0, "words": "add offbeat electric piano chords"},
    {"bar": 13.0, "words": "warm pad chords, no drums"},
)
_FIRST: dict[str, Any] = {
    "journey_mode": TIMELINE,
    "journey_blend": 4.0,
    "journey_from": "warm pad chords, no drums",
    "journey_to": "house 909 drums, saw bass, stabbing piano chords",
    "journey_there": None,
    "journey_share": None,
    "journey_variant": "house drums, saw bass",
    "journey_neighbour": None,
    "journey_distance": 0.3,
    "journey_takes": 1,
    "journey_bpm": FIRST_BPM,
    "journey_key": FIRST_KEY,
    "journey_bars": 16,
    "journey_end": LOOP,
}


def page() -> None:
    """Draw the room as the session has it now."""
    headline("Journey and timeline", _WELCOME)
    begun = sound_settings.begin(KIND)
    if begun is None:
        return
    found, sound = begun
    recall(_FIRST)
    left, right = bench()
    with left:
        _controls(sound)
        more = st.container()
    with right:
        results(KIND, empty=_EMPTY)
    with more, st.expander("Advanced", icon=":material/tune:"):
        sound_settings.sound_settings(KIND, found, rate=st.session_state.journey_mode != OVER)


def fill(task: Piece | Passage) -> None:
    """Put a piece's settings into the widgets of the way that it was made."""
    request = task.request
    sound_settings.fill(KIND, request, suffix=task.suffix)
    if isinstance(task, Passage):
        put({"journey_mode": OVER})
        passage.fill(task)
        return
    put({f"journey_{name}": getattr(request, name) for name in ("bpm", "bars", "key", "takes")})
    put({"journey_end": LOOP if request.closed else ENDS})
    if request.timeline is not None:
        marks = (Mark(bar=0.0, prompt=request.prompt), *request.timeline.marks)
        rows.fill(KIND, [{"bar": mark.bar + 1, "words": mark.prompt} for mark in marks])
        put({"journey_mode": TIMELINE, "journey_blend": request.timeline.blend_beats})
    elif request.journey is not None:
        goal = request.journey
        put({"journey_mode": JOURNEY, "journey_from": request.prompt, "journey_to": goal.prompt})
        put({"journey_there": goal.seed, "journey_share": goal.share})
    else:
        put({"journey_mode": VARIANT, "journey_variant": request.prompt})
    if request.variant is not None:
        put({"journey_neighbour": request.variant.seed})
        put({"journey_distance": request.variant.distance})


def _controls(sound: Sound) -> None:
    st.segmented_control(
        "What changes", tuple(_MEANINGS), key="journey_mode", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    mode = st.session_state.journey_mode
    st.caption(_MEANINGS[mode])
    build: Callable[[], Piece | Passage]
    if mode == OVER:
        build = partial(passage.task, sound, passage.form(sound))
    else:
        {TIMELINE: _timeline, JOURNEY: _journey, VARIANT: _variant}[mode](sound)
        _music()
        build = partial(_task, sound, mode)
    st.button(
        "Make the piece", key="journey_make", type="primary", icon=":material/route:",
        width="stretch", on_click=visitor.attempt, args=(KIND, build), shortcut="Ctrl+Enter",
    )  # fmt: skip


# ---- what each way asks for -------------------------------------------------------------------


def _timeline(sound: Sound) -> None:
    there = rows.begin(KIND, _LINES)
    for row in there:
        _line(row, sound, first=row == there[0], alone=len(there) == 1)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button("Add a line", key="journey_add", icon=":material/add:", on_click=_add)
        st.number_input(
            "Beats to come in over", step=1.0, format="%g", key="journey_blend", width=180,
            help="New words come in before their bar: 4 is over the bar before it, 0 at once",
        )  # fmt: skip


def _line(row: int, sound: Sound, *, first: bool, alone: bool) -> None:
    bar, words = (rows.key(KIND, name, row) for name in ("bar", "words"))
    label: Literal["visible", "collapsed"] = "visible" if first else "collapsed"
    with st.container(
        horizontal=True, vertical_alignment="bottom", gap="xsmall", key=f"journey_line_{row}"
    ):
        st.number_input(
            "From bar", step=1.0, format="%g", key=bar, width=84, label_visibility=label
        )
        st.text_input(
            "Words", key=words, max_chars=MAX_PROMPT_CHARS, label_visibility=label,
            placeholder="add saw bass",
        )  # fmt: skip
        known_words(words, sound, label="")
        st.button(
            "", key=f"journey_remove_{row}", icon=":material/close:", type="tertiary",
            help="Take this line away", disabled=alone, on_click=rows.remove,
            args=(KIND, row, tuple(_LINES[0])),
        )  # fmt: skip
    unknown(st.session_state[words].removeprefix("add "), sound)


def _add() -> None:
    """A line four bars after the last one."""
    last = max((rows.value(KIND, "bar", row) for row in rows.rows(KIND)), default=-3.0)
    rows.add(KIND, {"bar": last + 4.0, "words": ""})


def _journey(sound: Sound) -> None:
    words_box("journey_from", sound, "From", help="What plays at the beginning")
    words_box("journey_to", sound, "To", help="What plays at the end; of a loop, in its middle")
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "Seed there", value=None, step=1, key="journey_there", placeholder="the same",
        help="The same seed changes with the words alone; another one is another player too",
    )  # fmt: skip
    right.number_input(
        "Stay at", value=None, step=0.1, format="%g", key="journey_share",
        placeholder="on the way",
        help="0 to 1: no way, but one place on it all along; 0.5 is half of both",
    )  # fmt: skip


def _variant(sound: Sound) -> None:
    words_box("journey_variant", sound, "What should play?", help="The words of the loop")
    st.slider(
        "How different", 0.0, 1.0, step=0.05, key="journey_distance",
        help="0 is the loop itself, 1 as far from it as any other seed. The loop's own seed "
        "stands under Advanced",
    )  # fmt: skip
    st.number_input(
        "Which neighbour", value=None, step=1, key="journey_neighbour", placeholder="a new one",
        help="The neighbour's own seed: the same one comes again",
    )  # fmt: skip


def _music() -> None:
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "Tempo (BPM)", step=1.0, format="%g", key="journey_bpm", help="Exact, 40 to 240"
    )
    right.selectbox(
        "Key", KEYS, key="journey_key", placeholder="any",
        format_func=lambda key: key.replace("#", "♯"),
    )  # fmt: skip
    left.number_input("Bars", step=1, key="journey_bars", help=f"Of 4/4, 1 to {MAX_BARS}")
    right.number_input("Takes", step=1, key="journey_takes", help=f"1 to {TAKES} at a time")
    st.segmented_control(
        "Its ends", (LOOP, ENDS), key="journey_end", required=True, label_visibility="collapsed"
    )
    bars, bpm = st.session_state.journey_bars, st.session_state.journey_bpm
    if bars and bpm:
        minutes, seconds = divmod(bars * BEATS_PER_BAR * 60 / bpm, 60)
        told = f"{minutes:.0f} min " if minutes else ""
        st.caption(f"{told}{seconds:.1f} s long")


# ---- what is asked for ------------------------------------------------------------------------


def _task(sound: Sound, mode: str) -> Piece:
    """What the widgets say. Raises what refuses it."""
    s = st.session_state
    if not 1 <= s.journey_takes <= TAKES:
        raise UsageError(f"takes {s.journey_takes}: 1 to {TAKES} are made at a time")
    base = LoopRequest(
        prompt="",
        takes=s.journey_takes,
        bpm=s.journey_bpm,
        bars=s.journey_bars,
        key=s.journey_key,
        closed=s.journey_end == LOOP,
        **sound_settings.said(KIND),
    )
    asked = {TIMELINE: _of_timeline, JOURNEY: _of_journey, VARIANT: _of_variant}[mode](base)
    suffix = sound_settings.suffix(KIND)
    return Piece(request=plan_loop(asked, sound), suffix=suffix)


def _of_timeline(base: LoopRequest) -> LoopRequest:
    """Bars count from 1 here, as in the player."""
    lines: list[str] = []
    before = 0.0
    for row in rows.rows(KIND):
        bar, words = rows.value(KIND, "bar", row), rows.value(KIND, "words", row)
        if not words.strip():
            raise UsageError(f"bar {bar:g} has no words: say what plays there, or take it away")
        if not lines and bar != 1:
            raise UsageError(f"the first line stands at bar {bar:g}: give bar 1, where it begins")
        if not before < bar < base.bars + 1:
            raise UsageError(
                f"bar {bar:g} stands after bar {before:g} in a piece of {base.bars}: give rising "
                "bars within the piece"
            )
        before = bar
        # A semicolon parts lines where they are written in one.
        lines.append(f"{bar - 1:g} | {words.replace(';', ',')}")
    blend = st.session_state.journey_blend
    prompt, timeline = parse_timeline("\n".join(lines), blend_beats=blend)
    return replace(base, prompt=prompt, timeline=timeline)


def _of_journey(base: LoopRequest) -> LoopRequest:
    s = st.session_state
    goal = Journey(prompt=s.journey_to, seed=s.journey_there, share=s.journey_share)
    return replace(base, prompt=s.journey_from, journey=goal)


def _of_variant(base: LoopRequest) -> LoopRequest:
    s = st.session_state
    seed = -1 if s.journey_neighbour is None else s.journey_neighbour
    variant = Variant(seed=seed, distance=s.journey_distance)
    return replace(base, prompt=s.journey_variant, variant=variant)


ROOMS = (
    Room(
        key=KIND,
        title="Journey",
        icon=":material/route:",
        group="Sound",
        page=page,
        fill=fill,
        keys={"seed": "journey_seed"},
        takes={"sound": passage.PLACE, "picture": passage.PLACE},
    ),
)
