"""The room where many loops are made in one go."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from riffapp.errors import RiffappError, UsageError
from riffapp.jobs import wire
from riffapp.jobs.tasks.loops import Loops
from riffapp.jobs.tasks.pack import KIND, Pack, work_of
from riffapp.studio import packs
from riffapp.studio.checkpoints import Sound
from riffapp.studio.packs import PackWish
from riffapp.studio.types import BARS, BEATS_PER_BAR, MAX_PROMPT_CHARS, MAX_SEED, LoopRequest
from riffapp.ui import say, visitor
from riffapp.ui.components import sound_settings
from riffapp.ui.components.source import give, given, source
from riffapp.ui.components.wish import FIRST_BPM, FIRST_KEY, KEYS
from riffapp.ui.components.words_box import known_words, unknown
from riffapp.ui.figures import span
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall
from riffapp.ui.results import results
from sdcore.errors import SdError

BATCH = "pack_batch"  # the place of a file
_WELCOME = (
    "Many loops in one go: every combination of the words that you set apart, each with every "
    "value of up to three axes, or a row of a table each. One archive holds them all."
)
_EMPTY = (
    "Your pack appears here.",
    "A list of its loops to listen to, each with its picture, and one ZIP of everything.",
)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Something that changes from loop to loop: its name to people, and values as an example."""

    words: str
    example: str


# By a field of a loop's request, or a way to change its words.
AXES: Mapping[str, Axis] = {
    "bpm": Axis(words="Tempo (BPM)", example="120-140 (+10)"),
    "key": Axis(words="Key", example="A minor, C major"),
    "prompt s/r": Axis(words="One word for another", example="house, techno, trance"),
    "prompt order": Axis(words="Order of the words", example="house drums, saw bass"),
    "seed": Axis(words="Seed", example="1-4"),
    "bars": Axis(words="Bars", example="1, 2, 4"),
    "negative": Axis(words="Words to leave out", example="reverb, hi-hats"),
    "cfg": Axis(words="Guidance (CFG)", example="3-7 [3]"),
    "steps": Axis(words="Steps", example="8, 16, 32"),
    "sampler": Axis(words="Sampler", example="DPM++ 2M, Euler a"),
    "quality": Axis(words="Quality", example="fast, best"),
}
_NAMES = ("X", "Y", "Z")
_FIRST: dict[str, Any] = {
    "pack_prompt": "house 909 drums|saw bass|pluck lead",
    "pack_bpm": FIRST_BPM,
    "pack_key": FIRST_KEY,
    "pack_length": 2,
    "pack_takes": 1,
    "pack_own_seed": None,
    "pack_brackets": False,
    **{f"pack_axis_{name}": None for name in _NAMES},
    **{f"pack_values_{name}": "" for name in _NAMES},
}


def page() -> None:
    """Draw the room as the session has it now."""
    headline("Pack", _WELCOME)
    begun = sound_settings.begin(KIND)
    if begun is None:
        return
    found, sound = begun
    recall(_FIRST)
    left, right = bench()
    with left:
        _words(sound)
        _music()
        _axes()
        _outlook(sound)
        st.button(
            "Make the pack", key="pack_make", type="primary", icon=":material/library_music:",
            width="stretch", on_click=visitor.attempt, args=(KIND, _task, sound),
            shortcut="Ctrl+Enter",
        )  # fmt: skip
        more = st.container()
    with right:
        results(KIND, empty=_EMPTY)
    with more, st.expander("Advanced", icon=":material/tune:"):
        st.number_input(
            "Seed of the pack", value=None, step=1, key="pack_own_seed",
            placeholder="a new one each time",
            help="Seeds of loops that have none are drawn from it: the same makes the same pack",
        )  # fmt: skip
        st.toggle(
            "Bars in [brackets] set apart too", key="pack_brackets",
            help="Otherwise [saw bass|sub bass] alternates within one loop",
        )  # fmt: skip
        sound_settings.sound_settings(KIND, found)


# ---- what is asked for ------------------------------------------------------------------------


def _words(sound: Sound) -> None:
    st.text_area(
        "What should play?", key="pack_prompt", height=90, max_chars=MAX_PROMPT_CHARS,
        placeholder="house drums|saw bass|A minor",
        help="A bar | sets a part apart: a|b|c gives a, then a with b, with c, and with both",
    )  # fmt: skip
    unknown(st.session_state.pack_prompt.replace("|", " "), sound)
    with st.container(horizontal=True, key="pack_more"):
        known_words("pack_prompt", sound)
        with st.popover("A table of wishes", icon=":material/table:", type="tertiary"):
            source(
                BATCH, "CSV, JSON, JSON lines or text", "table", "text",
                help="A row or line for each loop: prompt, bpm, key, bars, seed … What a row does "
                "not say is as set here",
            )  # fmt: skip
            st.markdown("`prompt,bpm,key`  \n`house drums,124,A minor`  \n`techno drums,132,`")
    if given(BATCH) is not None:
        st.markdown(f":material/table: With the rows of **{say.plain(_batch_name())}**")


def _music() -> None:
    left, right = st.columns(2, wrap=False)
    left.number_input("Tempo (BPM)", step=1.0, format="%g", key="pack_bpm", help="Exact, 40 to 240")
    right.selectbox(
        "Key", (None, *KEYS), key="pack_key", placeholder="Any",
        format_func=lambda key: "Any" if key is None else key.replace("#", "♯"),
    )  # fmt: skip
    left.segmented_control("Bars", BARS, key="pack_length", required=True, help="Bars of 4/4")
    right.number_input(
        "Takes of each", step=1, key="pack_takes", help="The same wish with other seeds"
    )


def _axes() -> None:
    with st.expander("Axes: what changes from loop to loop", icon=":material/grid_on:"):
        for name in _NAMES:
            left, right = st.columns([2, 3], wrap=False)
            left.selectbox(
                f"{name} axis", (None, *AXES), key=f"pack_axis_{name}", placeholder="none",
                format_func=lambda field: "none" if field is None else AXES[field].words,
            )  # fmt: skip
            field = st.session_state[f"pack_axis_{name}"]
            right.text_input(
                f"Values of {name}", key=f"pack_values_{name}", disabled=field is None,
                placeholder="" if field is None else AXES[field].example,
                help="Commas between them; 1-4 counts, 120-140 (+10) in steps, 3-7 [3] so many",
            )  # fmt: skip


def _outlook(sound: Sound) -> None:
    """How many loops it will be, and how long that is likely to take."""
    try:
        plan = _planned(_wish(sound, seed=0))
    except (RiffappError, SdError) as error:
        st.caption(f":material/info: {say.sentence(_named(str(error)))}")
        return
    told = [f"**{plan.count} loop{'s' * (plan.count != 1)}**", f"{span(plan.seconds)} of sound"]
    if (pace := _pace()) is not None:
        told.append(f"made in about {span(pace * plan.work)}")
    st.markdown(f":material/library_music: {' · '.join(told)}")


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """How many loops, how long they sound, and their work, as `work_of` counts it."""

    count: int
    seconds: float
    work: int


@lru_cache(maxsize=32)
def _planned(wish: PackWish) -> Outlook:
    """Kept, for a page is drawn often, and a pack may have 2000 loops."""
    requests = [loop.request for loop in packs.plan_pack(wish).loops]
    return Outlook(
        count=len(requests),
        seconds=sum(BEATS_PER_BAR * one.bars * 60 / one.bpm for one in requests),
        work=sum(map(work_of, requests)),
    )


def _pace() -> float | None:
    """Seconds for a step of a beat, as the last loops of this computer took; None before any."""
    for work in visitor.gallery().works(kinds=["loop", KIND], limit=1):
        if work.kind == KIND:
            pace: float | None = work.facts.get("pace_s")
            return pace
        task: Loops = wire.loads(work.task, visitor.database().home)
        return float(work.facts["made_s"]) / work_of(task.request)
    return None


# ---- the task ---------------------------------------------------------------------------------


def _task(sound: Sound) -> Pack:
    """What the widgets say. Raises what refuses it."""
    given_seed = st.session_state.pack_own_seed
    wish = _wish(sound, seed=secrets.randbelow(MAX_SEED) if given_seed is None else given_seed)
    suffix = sound_settings.suffix(KIND)
    try:
        packs.plan_pack(wish)
    except UsageError as error:
        raise UsageError(_named(str(error))) from error
    return Pack(wish=replace(wish, suffix=suffix), batch_name=_batch_name())


def _wish(sound: Sound, *, seed: int) -> PackWish:
    s = st.session_state
    base = LoopRequest(
        prompt=s.pack_prompt,
        bpm=s.pack_bpm,
        key=s.pack_key,
        bars=s.pack_length,
        takes=s.pack_takes,
        **sound_settings.said(KIND),
    )
    if not s.pack_prompt.strip() and given(BATCH) is None:
        raise UsageError("the prompt is empty: say what to play, or give a table of wishes")
    return PackWish(
        base=base,
        batch=given(BATCH),
        every_bar=s.pack_brackets,
        axes=_said_axes(),
        seed=seed,
        suffix=s.pack_suffix,
    )


def _said_axes() -> tuple[tuple[str, str], ...]:
    s, found = st.session_state, []
    for name in _NAMES:
        field, values = s[f"pack_axis_{name}"], s[f"pack_values_{name}"].strip()
        if field is not None and not values:
            example = AXES[field].example
            raise UsageError(f"the {name} axis has no values: write some, such as {example}")
        if field is not None:
            found.append((field, values))
    return tuple(found)


def _batch_name() -> str:
    return str(st.session_state.get(f"{BATCH}_name", "")) if given(BATCH) is not None else ""


def _named(sentence: str) -> str:
    """A refusal with the table's own name in the place of the one that it is kept under."""
    path = given(BATCH)
    return sentence if path is None else sentence.replace(path.name, _batch_name())


# ---- and back ---------------------------------------------------------------------------------


def fill(task: Pack) -> None:
    """Put a pack's settings into the widgets, its table too."""
    wish, base = task.wish, task.wish.base
    if wish.batch is not None:
        give(BATCH, Path(wish.batch), name=task.batch_name)
    else:
        st.session_state.pop(BATCH, None)
    axes = dict(zip(_NAMES, (*wish.axes, *[(None, "")] * 3), strict=False))
    put({f"pack_axis_{name}": field for name, (field, _) in axes.items()})
    put({f"pack_values_{name}": values for name, (_, values) in axes.items()})
    put({"pack_prompt": base.prompt, "pack_bpm": base.bpm, "pack_key": base.key})
    put({"pack_length": base.bars, "pack_takes": base.takes, "pack_brackets": wish.every_bar})
    put({"pack_own_seed": wish.seed})
    sound_settings.fill(KIND, base, suffix=wish.suffix)
    put({"pack_seed": None if base.seed == -1 else base.seed})


ROOMS = (
    Room(
        key=KIND,
        title="Pack",
        icon=":material/library_music:",
        group="Sound",
        page=page,
        fill=fill,
    ),
)
