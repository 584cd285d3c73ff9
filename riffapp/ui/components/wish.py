"""What a loop is asked for with: the widgets, and the request that they say.

Every widget keeps its value in the session under the name of the request's field.
"""

from __future__ import annotations

import random
import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import streamlit as st

from riffapp.errors import RiffappError, UsageError
from riffapp.jobs import wire
from riffapp.settings import Settings
from riffapp.studio import checkpoints, prompts
from riffapp.studio.checkpoints import Sound
from riffapp.studio.types import (
    BARS,
    BIT_DEPTHS,
    MAX_PROMPT_CHARS,
    MAX_SEED,
    MAX_TAKES,
    RATES,
    LoopRequest,
)
from riffapp.ui import visitor, words
from riffapp.ui.components.chips import chips
from riffapp.ui.components.words_box import unknown
from riffapp.ui.recall import apart, drop, is_first_visit, put, recall, redraw
from riffapp.ui.say import plain
from riffapp.ui.words import Groups

# The first of these whose words the checkpoint knows is there on the first visit.
EXAMPLES = (
    "deep house 909 drums, saw bass, offbeat electric piano chords",
    "house drums, saw bass, piano chords",
    "house drums, saw bass",
)
FIRST_BPM, FIRST_KEY, TAKES = 124.0, "A minor", 8
FORMATS = (".wav", ".flac", ".ogg", ".mp3")
KEYS = tuple(f"{pitch} {mode}" for mode in ("major", "minor") for pitch in prompts.SHARPS)
_DEPTHS = {"16": "16 bit", "24": "24 bit", "float": "32 bit float"}


# What an address may say, beside the prompt: how each is read.
_LINKED: dict[str, Any] = {
    "negative": str,
    "bpm": float,
    "bars": int,
    "key": str,
    "takes": int,
    "seed": int,
    "steps": int,
    "cfg": float,
}


def begin(settings: Settings, sound: Sound) -> None:
    """Fill what a session has not chosen yet: with what the address says, or what this browser
    made last, or a wish that one click plays."""
    if is_first_visit():
        _return_to_last()
        put(_from_address())
    recall(_first(settings, sound))


def fill(request: LoopRequest, *, suffix: str | None = None) -> None:
    """Put a request's settings into the widgets."""
    fields = (*_LINKED, "prompt", "sampler", "schedule", "quality", "detail", "rate", "bit_depth")
    put({name: getattr(request, name) for name in (*fields, "checkpoint")})
    if suffix is not None:
        put({"suffix": suffix})


def _from_address() -> dict[str, Any]:
    told: dict[str, Any] = {}
    if "prompt" in st.query_params:
        told["prompt"] = st.query_params["prompt"][:MAX_PROMPT_CHARS]
    for name, read in _LINKED.items():
        with suppress(KeyError, ValueError):
            told[name] = read(st.query_params[name])
    if told.get("key") not in (None, *KEYS):
        del told["key"]
    return told


def _return_to_last() -> None:
    """The words and music of this browser's last loop; with a new seed, for another press."""
    jobs = visitor.store().jobs(visitor.owner(), kinds=["loop"], limit=1)
    with suppress(RiffappError):
        for job in jobs:
            fill(replace(wire.loads(job.task, visitor.database().home).request, seed=-1))
            put({"seed": None})


def _first(settings: Settings, sound: Sound) -> dict[str, Any]:
    known = (e for e in EXAMPLES if not prompts.unknown_words(e, sound.words))
    return {
        "prompt": next(known, EXAMPLES[-1]),
        "negative": "",
        "bpm": FIRST_BPM,
        "bars": 2,
        "key": FIRST_KEY,
        "takes": 1,
        "seed": None,
        "quality": "fast",
        "detail": False,
        "rate": RATES[0],
        "bit_depth": BIT_DEPTHS[0],
        "suffix": FORMATS[0],
        "play": True,
        "checkpoint": settings.checkpoint,
        **_own(sound),
    }


def _own(sound: Sound) -> dict[str, Any]:
    """What each checkpoint likes best."""
    liked = {"steps": sound.steps, "cfg": sound.cfg}
    return liked | {"sampler": sound.sampler, "schedule": sound.schedule}


def request() -> LoopRequest:
    """What the widgets say now.

    No number widget has bounds: one that has keeps its last good value in silence when a person
    types another, and the wrong loop would come. Raises UsageError for more takes than fit here.
    """
    s = st.session_state
    if s.takes > TAKES:
        raise UsageError(
            f"takes {s.takes}: the page makes 1 to {TAKES} at a time; "
            "`riffapp loop --takes` makes more"
        )
    return LoopRequest(
        prompt=s.prompt,
        negative=s.negative,
        bpm=s.bpm,
        bars=s.bars,
        key=s.key,
        seed=-1 if s.seed is None else s.seed,
        takes=s.takes,
        steps=s.steps,
        cfg=s.cfg,
        sampler=s.sampler,
        schedule=s.schedule,
        quality=s.quality,
        detail=s.detail,
        rate=s.rate,
        bit_depth=s.bit_depth,
        checkpoint=s.checkpoint,
    )


@apart
def prompt_box(sound: Sound) -> None:
    """The prompt, its chips, and a hint for each word that means nothing to the model."""
    st.text_area(
        "What should play?",
        key="prompt",
        height=90,
        max_chars=MAX_PROMPT_CHARS,
        help="Instruments and moods in your own words. (saw bass:1.3) weighs more, (…:0.7) less.",
    )
    with st.container(key="hints", gap="xsmall"):  # always there, so that nothing below moves house
        for word in prompts.unknown_words(st.session_state.prompt, sound.words):
            _hint(word)
    known = words.groups(sound)
    if known:
        chips(known, prompt="prompt")
    if len(known) > 1:
        st.button(
            "Surprise me",
            icon=":material/casino:",
            type="tertiary",
            on_click=_surprise,
            args=(known,),
            help="A prompt of words that the model knows",
        )


def _hint(unknown: prompts.Unknown) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"hint_{unknown.word}"):
        st.markdown(f":orange[:material/info:] The model was never taught “{plain(unknown.word)}”.")
        st.button(
            f"Use “{plain(unknown.nearest)}”",
            key=f"use_{unknown.word}",
            type="tertiary",
            on_click=_swap,
            args=(unknown.word, unknown.nearest),
            help="The nearest word that it knows",
        )


def _swap(word: str, other: str) -> None:
    st.session_state.prompt = words.swap(st.session_state.prompt, word, other)


def _surprise(known: Groups) -> None:
    st.session_state.prompt = words.surprise(known, random.SystemRandom())


@apart
def music() -> None:
    """Tempo, length, key and number of takes: what a musician sets first."""
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "Tempo (BPM)", step=1.0, format="%g", key="bpm",
        help="Exact, 40 to 240, fractions too: 92.5 is 92.5",
    )  # fmt: skip
    right.selectbox("Key", (None, *KEYS), format_func=_key_text, key="key")
    left.segmented_control("Bars", BARS, key="bars", required=True, help="Bars of 4/4")
    right.number_input(
        "Takes", step=1, key="takes", help=f"Loops of the same words, 1 to {TAKES} at a time"
    )


def _key_text(key: str | None) -> str:
    return "Any" if key is None else key.replace("#", "♯")


def advanced(settings: Settings, sound: Sound) -> None:
    """All that may stay as it is."""
    _advanced(settings, sound, st.session_state.checkpoint)


@apart
def _advanced(settings: Settings, sound: Sound, checkpoint: str) -> None:
    if st.session_state.checkpoint != checkpoint:  # another one knows other words
        redraw()
    with st.expander("Advanced", icon=":material/tune:"):
        st.text_input(
            "Leave out", key="negative", max_chars=MAX_PROMPT_CHARS, placeholder="hi-hats, reverb",
            help="Negative prompt: what should not be heard",
        )  # fmt: skip
        unknown(st.session_state.negative, sound)
        _seed()
        _diffusion(settings, sound)
        _file()
        st.toggle("Play the first take as soon as it is made", key="play")
    st.button(
        "Put the settings into the address", icon=":material/link:", type="tertiary", key="link",
        on_click=_link, help="The browser's address then opens this page as it is set now",
    )  # fmt: skip


def _link() -> None:
    told = {name: st.session_state[name] for name in ("prompt", *_LINKED)}
    st.query_params.from_dict(
        {name: str(value) for name, value in told.items() if value not in (None, "")}
    )


def _seed() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Seed", value=None, step=1, key="seed", width=220,
            placeholder="a new one each time",
            help="The same seed and settings make the same loop. Take 2 has the next seed.",
        )  # fmt: skip
        st.button("New seed", icon=":material/casino:", on_click=_new_seed)


def _new_seed() -> None:
    st.session_state.seed = secrets.randbelow(MAX_SEED - MAX_TAKES)


def _diffusion(settings: Settings, sound: Sound) -> None:
    from audio.phase import QUALITIES
    from sdcore.samplers import SAMPLERS
    from sdcore.schedules import SCHEDULES

    known = tuple(dict.fromkeys((settings.checkpoint, *checkpoints.instruments(settings.roots))))
    if len(known) > 1:
        st.selectbox(
            "Checkpoint", known, key="checkpoint", format_func=lambda ref: Path(ref).name,
            on_change=_forget, args=(sound,), help="The model that makes the loops",
        )  # fmt: skip
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "Steps", step=1, key="steps",
        help="More is slower and finer",
    )  # fmt: skip
    right.number_input(
        "Guidance (CFG)", step=0.5, format="%g", key="cfg",
        help="How closely the words are followed",
    )  # fmt: skip
    left.selectbox("Sampler", tuple(SAMPLERS), key="sampler")
    right.selectbox("Schedule", tuple(SCHEDULES), key="schedule")
    st.segmented_control(
        "Quality", tuple(QUALITIES), required=True, key="quality",
        format_func=str.capitalize, help="How long the picture is turned into sound",
    )  # fmt: skip
    st.toggle("More detail", key="detail", help="Sharper attacks and partials, a little slower")


def _forget(sound: Sound) -> None:
    """Another checkpoint likes other settings best."""
    drop(_own(sound))


def _file() -> None:
    with st.container(horizontal=True):
        st.selectbox(
            "Format", FORMATS, key="suffix", width=110, format_func=lambda s: s[1:].upper()
        )
        st.selectbox(
            "Rate", RATES, key="rate", width=130, format_func=lambda hz: f"{hz / 1000:g} kHz"
        )
        depths = BIT_DEPTHS[:2] if st.session_state.suffix == ".flac" else BIT_DEPTHS
        st.selectbox(
            "Depth", depths, key="bit_depth", width=150, format_func=_DEPTHS.__getitem__,
            disabled=st.session_state.suffix in (".ogg", ".mp3"),
            help="Of WAV and FLAC; FLAC has no float",
        )  # fmt: skip
