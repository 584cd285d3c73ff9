"""The room where a piece is made of layers: each alone, all on one clock, mixed by hand."""

from __future__ import annotations

import secrets
from dataclasses import replace

import streamlit as st

from riffapp.gallery import Work
from riffapp.jobs import wire
from riffapp.jobs.tasks.layers import KIND, Layers
from riffapp.studio.checkpoints import Sound
from riffapp.studio.layers import MAX_LAYERS, SUFFIXES, Layer, LayersPlan, adjusted, plan_layers
from riffapp.studio.types import BARS, MAX_PROMPT_CHARS, MAX_SEED, MAX_TAKES, LoopRequest
from riffapp.ui import visitor
from riffapp.ui.components import rows, sound_settings
from riffapp.ui.components.player import Track, chosen
from riffapp.ui.components.wish import FIRST_BPM, FIRST_KEY, KEYS
from riffapp.ui.components.words_box import known_words, unknown
from riffapp.ui.components.work_card import face
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall
from riffapp.ui.results import results

_WELCOME = (
    "Each layer is made alone, in one tempo and one key, and all play on one clock. "
    "Mix them in the player, and let the files follow."
)
_EMPTY = (
    "Your layers appear here.",
    "One player with a fader for each layer, the mix, and a file for each of them.",
)
_BLANK = {"words": "", "gain": 0.0, "flags": [], "seed": None}
_FIRST = (
    {**_BLANK, "name": "drums", "words": "house 909 drums"},
    {**_BLANK, "name": "bass", "words": "rolling saw bass"},
    {**_BLANK, "name": "chords", "words": "offbeat electric piano chords"},
)
_NEXT = {"lead": "pluck lead", "drums": "punchy drums", "bass": "sub bass", "chords": "warm pad"}
_FLAGS = ("Mute", "Solo")


def page() -> None:
    """Draw the room as the session has it now."""
    headline("Layers", _WELCOME)
    begun = sound_settings.begin(KIND)
    if begun is None:
        return
    found, sound = begun
    recall({"layers_bpm": FIRST_BPM, "layers_bars": 2, "layers_key": FIRST_KEY})
    left, right = bench()
    with left:
        _rows(sound)
        _music()
        st.button(
            "Make the layers", key="layers_make", type="primary", icon=":material/layers:",
            width="stretch", on_click=visitor.attempt, args=(KIND, _task), shortcut="Ctrl+Enter",
        )  # fmt: skip
        more = st.container()
    with right:
        newest = _newest()
        if newest is not None:
            _mixing(newest)
        results(KIND, empty=_EMPTY)
    with more, st.expander("Advanced", icon=":material/tune:"):
        sound_settings.sound_settings(KIND, found, suffixes=SUFFIXES)


def fill(task: Layers) -> None:
    """Put a plan into the widgets: each row with its own seed."""
    plan = task.plan
    request = _common(plan)
    rows.fill(
        KIND,
        [
            {
                "name": one.name,
                "words": one.prompt,
                "gain": one.gain_db,
                "flags": [f for f, on in zip(_FLAGS, (one.mute, one.solo), strict=True) if on],
                "seed": one.request.seed,
            }
            for one in plan.layers
        ],
    )
    put({f"layers_{name}": getattr(request, name) for name in ("bpm", "bars", "key")})
    told = replace(request, bit_depth=plan.bit_depth)
    sound_settings.fill(KIND, told, suffix=plan.suffix)
    put({"layers_seed": None})


# ---- what is asked for ------------------------------------------------------------------------


def _rows(sound: Sound) -> None:
    there = rows.begin(KIND, _FIRST)
    for row in there:
        with st.container(border=True, key=f"layer_{row}", gap="xsmall"):
            _row(row, sound, alone=len(there) == 1)
    if len(there) < MAX_LAYERS:
        st.button("Add a layer", key="layers_add", icon=":material/add:", on_click=_add)


def _row(row: int, sound: Sound, *, alone: bool) -> None:
    name = rows.value(KIND, "name", row)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.text_input(
            "Name of the layer", key=rows.key(KIND, "name", row), max_chars=32,
            label_visibility="collapsed", placeholder="name, such as bass",
        )  # fmt: skip
        with st.popover(_level(row), icon=":material/tune:", help="Level, mute, solo, seed"):
            _fader(row)
        st.button(
            "", key=f"layers_remove_{row}", icon=":material/close:", type="tertiary",
            help=f"Take {name or 'this layer'} away", disabled=alone,
            on_click=rows.remove, args=(KIND, row, tuple(_FIRST[0])),
        )  # fmt: skip
    words = rows.key(KIND, "words", row)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.text_input(
            f"What the {name or 'layer'} plays", key=words, max_chars=MAX_PROMPT_CHARS,
            label_visibility="collapsed", placeholder="what it plays, such as rolling saw bass",
        )  # fmt: skip
        known_words(words, sound, label="")
    unknown(st.session_state[words], sound)


def _fader(row: int) -> None:
    st.number_input(
        "Gain (dB)", step=1.0, format="%g", key=rows.key(KIND, "gain", row),
        help="0 leaves it as it is made; −6 is half as loud a signal",
    )  # fmt: skip
    st.pills(
        "In the mix", _FLAGS, selection_mode="multi", key=rows.key(KIND, "flags", row),
        help="A muted layer is made and kept out; with solo, only such layers are heard",
    )  # fmt: skip
    st.number_input(
        "Its own seed", value=None, step=1, key=rows.key(KIND, "seed", row),
        placeholder="from the common one", help="The same seed and words make the same layer",
    )  # fmt: skip


def _level(row: int) -> str:
    """How a layer stands in the mix, for its button."""
    gain, flags = rows.value(KIND, "gain", row), rows.value(KIND, "flags", row)
    told = [flag.lower() for flag in _FLAGS if flag in flags]
    return ", ".join([f"{gain or 0.0:+g} dB".replace("+0 ", "0 ").replace("-", "−"), *told])


def _add() -> None:
    taken = {rows.value(KIND, "name", row) for row in rows.rows(KIND)}
    name = next((name for name in _NEXT if name not in taken), "")
    rows.add(KIND, {**_BLANK, "name": name, "words": _NEXT.get(name, "")})


def _music() -> None:
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "Tempo (BPM)", step=1.0, format="%g", key="layers_bpm", help="Exact, 40 to 240"
    )
    right.selectbox(
        "Key", KEYS, key="layers_key", placeholder="any",
        format_func=lambda key: key.replace("#", "♯"),
        help="Of all layers; any: the one that a layer's words name, or a new one",
    )  # fmt: skip
    st.segmented_control("Bars", BARS, key="layers_bars", required=True, help="Bars of 4/4")


def _task() -> Layers:
    """What the widgets say; takes of the newest work that fit are used again. Raises what refuses
    it."""
    s, told = st.session_state, sound_settings.said(KIND)
    if told["seed"] == -1:
        told["seed"] = secrets.randbelow(MAX_SEED - MAX_TAKES)
    base = LoopRequest(prompt="", bpm=s.layers_bpm, bars=s.layers_bars, key=s.layers_key, **told)
    layers = [_layer(row) for row in rows.rows(KIND)]
    newest = _newest()
    return Layers(
        plan=plan_layers(base, layers, suffix=s.layers_suffix),
        before=None if newest is None else newest.id,
    )


def _layer(row: int) -> Layer:
    flags = rows.value(KIND, "flags", row)
    return Layer(
        name=rows.value(KIND, "name", row).strip(),
        prompt=rows.value(KIND, "words", row),
        seed=rows.value(KIND, "seed", row),
        gain_db=rows.value(KIND, "gain", row),
        mute="Mute" in flags,
        solo="Solo" in flags,
    )


# ---- what is there, mixed anew ----------------------------------------------------------------


def _newest() -> Work | None:
    return next(iter(visitor.gallery().works(owner=visitor.owner(), kinds=[KIND], limit=1)), None)


def _mixing(work: Work) -> None:
    """What can be done with the newest layers as they stand in the player."""
    names = list(work.facts["mixer"])
    with st.container(horizontal=True, vertical_alignment="center", key="layers_mixing"):
        st.button(
            "Mix again", key="layers_mix", icon=":material/instant_mix:",
            on_click=visitor.attempt, args=(KIND, _mixed, work),
            help="New files by the faders of the player, in a moment: no layer is made anew",
        )  # fmt: skip
        st.menu_button(
            "New take of", names, key="layers_retake", icon=":material/casino:", type="tertiary",
            on_click=_retake, args=(work,), help="Makes one layer anew, and keeps the others",
        )  # fmt: skip


def _mixed(work: Work, retaken: str | None = None) -> Layers:
    """The work as it stands in its player, one of its layers maybe with a new seed."""
    tracks = _tracks(work)
    seeds = {} if retaken is None else {retaken: secrets.randbelow(MAX_SEED - MAX_TAKES)}
    plan = adjusted(
        _plan(work),
        gains={track.name: track.gain_db for track in tracks},
        mutes=[track.name for track in tracks if track.muted],
        solos=[track.name for track in tracks if track.solo],
        seeds=seeds,
    )
    return Layers(plan=plan, before=work.id)


def _retake(work: Work) -> None:
    name = st.session_state.layers_retake
    if name is not None:
        visitor.attempt(KIND, _mixed, work, name)


def _tracks(work: Work) -> tuple[Track, ...]:
    """The layers as the listener has mixed them, or as they were made."""
    shown = face(work, play=False)
    made = work.facts["mixer"]
    shown = replace(shown, tracks=tuple(replace(one, **made[one.name]) for one in shown.tracks))
    return chosen(shown, st.session_state.get(f"player_{KIND}_{work.id}") or {}).tracks


def _plan(work: Work) -> LayersPlan:
    task: Layers = wire.loads(work.task, visitor.database().home)
    return task.plan


def _common(plan: LayersPlan) -> LoopRequest:
    """A request of the plan that says the key, if any does: drums have none."""
    requests = [one.request for one in plan.layers]
    return next((one for one in requests if one.key is not None), requests[0])


ROOMS = (
    Room(
        key=KIND,
        title="Layers",
        icon=":material/layers:",
        group="Sound",
        page=page,
        fill=fill,
    ),
)
