"""Who speaks: espeak's languages by names that people know, a recording of one's own, a model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs.tasks.speech import OWN_VOICE
from riffapp.ui.components.source import given, source
from riffapp.ui.here import is_here
from riffapp.ui.recall import put, recall, said

MODEL = "a model"  # in the place of a language
RECORDING = "speech_recording"  # the place of the recording
CHARACTERS: Mapping[str, str] = {
    "": "As it is",
    **{f"f{n}": f"Woman {n}" for n in range(1, 6)},
    **{f"m{n}": f"Man {n}" for n in range(1, 9)},
    "whisper": "Whispering man",
    "whisperf": "Whispering woman",
    "grandma": "Grandma",
    "grandpa": "Grandpa",
}
_FIRST_OF = ("en-us", "en-gb", "de", "fr-fr", "es", "es-419", "it", "pt-br", "pt", "nl", "pl")
_FIRST = {
    "speech_voice": "en-us",
    "speech_character": "",
    "speech_language": "en-us",
    "speech_model": "",
}


@cache
def languages() -> Mapping[str, str]:
    """espeak's languages by id, those that most people look for first.

    Raises audio's errors where it does not run.
    """
    from audio.speech.espeak import Espeak

    named = {voice.id: voice.name for voice in Espeak().voices()}
    first = {name: named[name] for name in _FIRST_OF if name in named}
    return first | dict(sorted(named.items(), key=lambda one: one[1]))


def voice_box() -> None:
    """Language and character, or a recording, or a model. Raises as `languages` does."""
    recall(_FIRST)
    known = languages()
    models = (MODEL,) if is_here() or st.session_state.speech_voice == MODEL else ()
    left, right = st.columns([3, 2], wrap=False)
    left.selectbox(
        "Voice", (*known, OWN_VOICE, *models), key="speech_voice", format_func=_called,
        help="espeak speaks these languages at once; of a recording of yours, each sound is found",
    )  # fmt: skip
    voice = st.session_state.speech_voice
    right.selectbox(
        "Character", tuple(CHARACTERS), key="speech_character", format_func=CHARACTERS.__getitem__,
        disabled=voice in (OWN_VOICE, MODEL), help="Of espeak's voices",
    )  # fmt: skip
    if voice == OWN_VOICE:
        source(RECORDING, "Your recording of the script, word by word", "sound")
        st.selectbox(
            "Spoken in", tuple(known), key="speech_language", format_func=known.__getitem__
        )
    elif voice == MODEL:
        st.text_input(
            "The model", key="speech_model", placeholder="coqui:FOLDER or transformers:FOLDER",
            help="On this computer, with #SPEAKER and @LANGUAGE where it has several. Coqui's VITS "
            "and XTTS; transformers' VITS, MMS, SpeechT5 and Bark",
        )  # fmt: skip


def chosen() -> str:
    """The name of the voice that is chosen. Raises UsageError for a model without a name."""
    s = said
    if s.speech_voice == OWN_VOICE:
        return OWN_VOICE
    if s.speech_voice == MODEL:
        engine, _, where = s.speech_model.strip().partition(":")
        if not is_here():
            raise UsageError("a model's folder can be named by who sits at this computer alone")
        if engine not in ("coqui", "transformers") or not where:
            raise UsageError("no model is named: write coqui:FOLDER or transformers:FOLDER")
        return str(s.speech_model.strip())
    return f"{s.speech_voice}+{s.speech_character}" if s.speech_character else str(s.speech_voice)


def recording() -> Path | None:
    """The recording, where it is the voice. Raises UsageError where it is to be and is not."""
    if said.speech_voice != OWN_VOICE:
        return None
    found = given(RECORDING)
    if found is None:
        raise UsageError("no recording is given: choose the sound file in which you say the script")
    return found


def fill(voice: str, take: Path | None, language: str) -> None:
    """Put a voice into the widgets."""
    name, _, character = voice.partition("+")
    if ":" in voice:
        put({"speech_voice": MODEL, "speech_model": voice})
    elif voice == OWN_VOICE:
        put({"speech_voice": OWN_VOICE, "speech_language": language})
        st.session_state[RECORDING] = take
    else:
        put({"speech_voice": name, "speech_character": character})


def _called(voice: str) -> str:
    told = {OWN_VOICE: "A recording of mine …", MODEL: "Another model on this computer …"}
    return told.get(voice) or languages()[voice]
