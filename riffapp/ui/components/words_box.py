"""A box for words with what the model knows of them: each room has its own under a key."""

from __future__ import annotations

import streamlit as st

from riffapp.studio import prompts
from riffapp.studio.checkpoints import Sound
from riffapp.studio.types import MAX_PROMPT_CHARS
from riffapp.ui import say, words
from riffapp.ui.components.chips import chips
from riffapp.ui.recall import apart

_HELP = "Words that the model was taught: a click puts one in or takes it out"


@apart
def words_box(
    key: str, sound: Sound, label: str, *, help: str, placeholder: str = "", height: int = 68
) -> None:
    """The box, hints for what the model was never taught, and the words that it knows."""
    st.text_area(
        label, key=key, height=height, max_chars=MAX_PROMPT_CHARS, help=help,
        placeholder=placeholder,
    )  # fmt: skip
    unknown(st.session_state[key], sound)
    known_words(key, sound)


def unknown(text: str, sound: Sound) -> None:
    """A hint for each word that means nothing to the model."""
    for word in prompts.unknown_words(text, sound.words):
        say.warning(str(word))


def known_words(key: str, sound: Sound, *, label: str = "Words that it knows") -> None:
    """The model's words to pick from, for the text under `key`."""
    known = words.groups(sound)
    if known:
        with st.popover(label, icon=":material/sell:", type="tertiary", help=_HELP):
            chips(known, prompt=key)
