"""What a loop is asked for with: the widgets, and the request that they say.

Every widget keeps its value in the session under the name of the request's field.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import streamlit as st

from riffapp.errors import RiffappError, UsageError
from riffapp.jobs import wire
from riffapp.settings import Settings
from riffapp.studio import prompts
from riffapp.studio.checkpoints import Sound
from riffapp.studio.types import BARS, MAX_PROMPT_CHARS, LoopRequest
from riffapp.ui import visitor, words
from riffapp.ui.components import sound_settings
from riffapp.ui.components.chips import chips
from riffapp.ui.recall import apart, is_first_visit, put, recall
from riffapp.ui.say import plain
from riffapp.ui.words import Groups

# The first of these whose words the checkpoint knows is there on the first visit.
EXAMPLES = (
    "deep house 909 drums, saw bass, offbeat electric piano chords",
    "house drums, saw bass, piano chords",
    "house drums, saw bass",
)
FIRST_BPM, FIRST_KEY, TAKES = 124.0, "A minor", 8
KEYS = tuple(f"{pitch} {mode}" for mode in ("major", "minor") for pitch in prompts.SHARPS)

# What is asked for here, beside what sound_settings asks in every room of sounds.
_FIELDS = ("prompt", "bpm", "bars", "key", "takes", "detail")

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


def begin() -> tuple[Settings, Sound] | None:
    """The settings and the checkpoint's sound, and widgets filled where a session has not chosen
    yet: with what the address says, or what this browser made last, or a wish that one click plays.

    None, with the sentence on the page, where the checkpoint is none that sounds.
    """
    if is_first_visit():
        _return_to_last()
        put(_from_address())
    begun = sound_settings.begin("")
    if begun is not None:
        recall(_first(begun[1]))
    return begun


def fill(request: LoopRequest, *, suffix: str) -> None:
    """Put a request's settings into the widgets."""
    put({name: getattr(request, name) for name in _FIELDS})
    sound_settings.fill("", request, suffix=suffix)


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
            task = wire.loads(job.task, visitor.database().home)
            fill(task.request, suffix=task.suffix)
            put({"seed": None})


def _first(sound: Sound) -> dict[str, Any]:
    known = (e for e in EXAMPLES if not prompts.unknown_words(e, sound.words))
    return {
        "prompt": next(known, EXAMPLES[-1]),
        "bpm": FIRST_BPM,
        "bars": 2,
        "key": FIRST_KEY,
        "takes": 1,
        "detail": False,
        "play": True,
    }


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
    return LoopRequest(**{name: s[name] for name in _FIELDS}, **sound_settings.said(""))


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
    put({"prompt": words.swap(st.session_state.prompt, word, other)})


def _surprise(known: Groups) -> None:
    put({"prompt": words.surprise(known, random.SystemRandom())})


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


def advanced(settings: Settings) -> None:
    """All that may stay as it is."""
    with st.expander("Advanced", icon=":material/tune:"):
        sound_settings.sound_settings("", settings)
        _liking()
    st.button(
        "Put the settings into the address", icon=":material/link:", type="tertiary", key="link",
        on_click=_link, help="The browser's address then opens this page as it is set now",
    )  # fmt: skip


@apart
def _liking() -> None:
    st.toggle("More detail", key="detail", help="Sharper attacks and partials, a little slower")
    st.toggle("Play the first take as soon as it is made", key="play")


def _link() -> None:
    told = {name: st.session_state[name] for name in ("prompt", *_LINKED)}
    st.query_params.from_dict(
        {name: str(value) for name, value in told.items() if value not in (None, "")}
    )
