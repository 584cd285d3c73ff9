"""The room where a script is spoken over a bed, on its beat and in its key."""

from __future__ import annotations

from typing import Any

import streamlit as st

from audio.errors import AudioError
from audio.script import MODES
from riffapp.errors import UsageError
from riffapp.jobs.tasks.speech import KIND, Bed, Speech
from riffapp.settings import Settings
from riffapp.studio.checkpoints import Sound
from riffapp.studio.plan import plan_loop
from riffapp.studio.types import BARS, LoopRequest
from riffapp.ui import say, visitor
from riffapp.ui.components import sound_settings, voices
from riffapp.ui.components.source import give, given, source
from riffapp.ui.components.wish import KEYS
from riffapp.ui.components.words_box import words_box
from riffapp.ui.frame import bench, headline
from riffapp.ui.map import Room
from riffapp.ui.recall import put, recall, said
from riffapp.ui.results import results
from riffapp.ui.rooms import speech_fit

BED, SCRIPT = "speech_bed", "speech_file"  # places of files
WORDS, SOUND = "Made of words", "A sound"
_OWN_KEY = "As it says, or is heard"
_WELCOME = (
    "Write what is to be said and choose what plays under it. The voice comes in on the beat, in "
    "the key of the music, and the music makes room for it."
)
_EMPTY = (
    "Your speech appears here.",
    "The mix to listen to, its words on the beats, subtitles, and voice and bed apart.",
)
_SCRIPT = (
    "Welcome back to the show. <break time='500ms'/> Today: music made of words, on a computer "
    "of your own."
)
_MEANINGS = {
    "talk": "As people speak, each sentence in on a beat, its melody drawn towards the key.",
    "rhythmic": "Each syllable on the grid, as in rap.",
    "sung": "Each syllable on a note of the chords, or of a melody that you write.",
}
_MARKS = (
    ("<break time='500ms'/>", "a pause"),
    ("<emphasis>now</emphasis>", "louder"),
    ("<mode name='sung' strength='80%'>la la</mode>", "another way, for these words"),
    ("<lang xml:lang='de'>Guten Tag</lang>", "another language"),
    ("<voice name='Anna'>Hi!</voice>", "another voice, as named below; or a line 'Anna: Hi!'"),
    ("<chapter title='News'/>", "a chapter begins"),
)
_FIRST: dict[str, Any] = {
    "speech_script": _SCRIPT,
    "speech_mode": "talk",
    "speech_strength": 100,
    "speech_under": WORDS,
    "speech_words": "minimal house drums, soft piano chords",
    "speech_bpm": 96.0,
    "speech_key": "C major",
    "speech_bars": 2,
    "speech_bed_bpm": None,
    "speech_bed_key": None,
    "speech_cast": "",
}


def page() -> None:
    """Draw the room as the session has it now."""
    headline("Speech on the beat", _WELCOME)
    begun = sound_settings.begin(KIND)
    if begun is None:
        return
    found, sound = begun
    recall({**_FIRST, **speech_fit.FIRST})
    _take_in()
    left, right = bench()
    with left:
        _script()
        _voice()
        _under(sound)
        st.button(
            "Speak it", key="speech_make", type="primary", icon=":material/record_voice_over:",
            width="stretch", on_click=visitor.attempt, args=(KIND, _task, sound),
            shortcut="Ctrl+Enter",
        )  # fmt: skip
        more = st.container()
    with right:
        results(KIND, empty=_EMPTY)
    with more, st.expander("Advanced", icon=":material/tune:"):
        _advanced(found)


# ---- what is asked for ------------------------------------------------------------------------


def _take_in() -> None:
    """A script that was given goes into its box; a bed that was given is the bed."""
    if (path := given(SCRIPT)) is not None:
        put({"speech_script": path.read_text(encoding="utf-8-sig")})
        st.session_state.pop(SCRIPT)
    if (bed := given(BED)) is not None and bed != st.session_state.get("speech_bed_seen"):
        put({"speech_under": SOUND})
        st.session_state.speech_bed_seen = bed


def _script() -> None:
    st.text_area("What is to be said?", key="speech_script", height=150)
    with st.container(horizontal=True, key="speech_script_more"):
        with st.popover("Marks", icon=":material/code:", type="tertiary"):
            st.markdown("A script is plain text. Where you like, these stand in it:")
            for mark, words in _MARKS:
                st.markdown(f"`{mark}`  \n{words}")
        with st.popover("From a file", icon=":material/upload_file:", type="tertiary"):
            source(SCRIPT, "A text file", "text", help="It goes into the box")


def _voice() -> None:
    try:
        voices.voice_box()
    except AudioError as error:
        say.error(str(error))
        return
    st.segmented_control("How", MODES, key="speech_mode", required=True, format_func=str.capitalize)
    st.caption(_MEANINGS[st.session_state.speech_mode])
    st.slider(
        "Strength", 0, 100, step=5, key="speech_strength", format="%d %%",
        help="0: as it was spoken, only placed; 100: all the way onto grid and notes",
    )  # fmt: skip


def _under(sound: Sound) -> None:
    st.segmented_control("What plays under it", (WORDS, SOUND), key="speech_under", required=True)
    if st.session_state.speech_under == SOUND:
        source(BED, "A loop, or any recording", "sound", help="It is repeated as often as needed")
        with st.popover("Its tempo and key", icon=":material/speed:", type="tertiary"):
            st.number_input(
                "Its tempo (BPM)", step=1.0, format="%g", key="speech_bed_bpm",
                placeholder="as it says, or is heard",
            )  # fmt: skip
            st.selectbox(
                "Its key", (None, *KEYS), key="speech_bed_key", placeholder=_OWN_KEY,
                format_func=lambda key: _OWN_KEY if key is None else _sharp(key),
            )  # fmt: skip
        return
    words_box(
        "speech_words", sound, "Words of the bed", help="A loop is made of them first: calm is best"
    )
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "Tempo (BPM)", step=1.0, format="%g", key="speech_bpm", help="Exact, 40 to 240"
    )
    right.selectbox(
        "Key", (None, *KEYS), key="speech_key", placeholder="Any",
        format_func=lambda key: "Any" if key is None else _sharp(key),
    )  # fmt: skip


def _sharp(key: str) -> str:
    return key.replace("#", "♯")


# ---- behind Advanced --------------------------------------------------------------------------


def _advanced(found: Settings) -> None:
    fit, mix, bed, file = st.tabs(["Fit", "Mix", "Bed", "File"])
    with fit:
        speech_fit.fit_form()
    with mix:
        speech_fit.mix_form()
    with bed:
        st.caption("How a bed of words is made")
        st.segmented_control("Bars", BARS, key="speech_bars", required=True, help="Of the loop")
        sound_settings.drawing(KIND, found)
    with file:
        sound_settings.keeping(KIND, rate=False)
        st.text_area(
            "Other voices of the script", key="speech_cast", height=68,
            placeholder="Anna = en-gb+f2", help="A name and a voice a line",
        )  # fmt: skip


# ---- the task ---------------------------------------------------------------------------------


def _task(sound: Sound) -> Speech:
    """What the widgets say. Raises what refuses it."""
    from riffapp.studio.speech import SpeechRequest

    s = said
    request = SpeechRequest(
        script=s.speech_script,
        voice=voices.chosen(),
        voices=_cast(s.speech_cast),
        mode=s.speech_mode,
        strength=s.speech_strength / 100,
        settings=speech_fit.fitted(),
        balance=speech_fit.balance(),
        intro_bars=s.speech_intro,
        outro_bars=s.speech_outro,
        gap_s=s.speech_gap,
        channels=1 if s.speech_mono else 2,
    )
    task = Speech(
        request=request,
        bed=_bed(sound),
        recording=voices.recording(),
        language=s.speech_language,
        notes=s.speech_notes,
        suffix=sound_settings.suffix(KIND),
        bit_depth=s.speech_bit_depth,
    )
    task.refuse()
    return task


def _bed(sound: Sound) -> Bed:
    s = said
    if s.speech_under == SOUND:
        path = given(BED)
        if path is None:
            raise UsageError("no bed is given: choose a sound, or have one made of words")
        key = s.speech_bed_key
        return Bed(
            file=path,
            name=str(st.session_state.get(f"{BED}_name", "")),
            bpm=s.speech_bed_bpm,
            key=key,
        )
    request = LoopRequest(
        prompt=s.speech_words,
        bpm=s.speech_bpm,
        key=s.speech_key,
        bars=s.speech_bars,
        **sound_settings.said(KIND),
    )
    return Bed(request=plan_loop(request, sound))


def _cast(text: str) -> tuple[tuple[str, str], ...]:
    """Names and voices, a line each."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        name, _, voice = (part.strip() for part in line.partition("="))
        if not name or not voice:
            raise UsageError(f"'{line.strip()[:60]}': give a name and a voice, as Anna = en-gb+f2")
        found.append((name, voice))
    return tuple(found)


# ---- and back ---------------------------------------------------------------------------------


def fill(task: Speech) -> None:
    """Put a speech's settings into the widgets, its files too."""
    request = task.request
    voices.fill(request.voice, task.recording, task.language)
    put(
        {
            "speech_script": request.script,
            "speech_mode": request.mode,
            "speech_strength": round(100 * request.strength),
            "speech_cast": "\n".join(f"{name} = {voice}" for name, voice in request.voices),
        }
    )
    speech_fit.fill(request, notes=task.notes)
    _fill_bed(task)


def _fill_bed(task: Speech) -> None:
    bed = task.bed
    if bed.file is not None:
        give(BED, bed.file, name=bed.name)
        put({"speech_under": SOUND, "speech_bed_bpm": bed.bpm, "speech_bed_key": bed.key})
    elif bed.request is not None:
        asked = bed.request
        put({"speech_under": WORDS, "speech_words": asked.prompt, "speech_bpm": asked.bpm})
        put({"speech_key": asked.key, "speech_bars": asked.bars})
        sound_settings.fill(KIND, asked, suffix=task.suffix)
    put({"speech_suffix": task.suffix, "speech_bit_depth": task.bit_depth})


ROOMS = (
    Room(
        key=KIND,
        title="Speech",
        icon=":material/record_voice_over:",
        group="Sound",
        page=page,
        fill=fill,
        takes={"sound": BED},
    ),
)
