"""A plain room for speech on the beat: a script, a bed, a voice; the mix and how well it fits."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from audio.align.fit import MODES
from audio.align.music import SUBDIVISIONS
from audio.align.settings import FLOWS, MELODIES, Settings
from riffapp import settings
from riffapp.errors import blame
from riffapp.studio.types import LoopRequest
from riffapp.ui.components.source import source
from riffapp.ui.rooms.arranging import zipped

if TYPE_CHECKING:
    from riffapp.studio.accompaniment import Accompaniment
    from riffapp.studio.speech import SpeechRequest

KEPT = "speech-made"
SCRIPT = "Welcome back to the show. <break time='500ms'/> Today: music made of words."
BED = "soft piano chords, house drums"
VOICES = ("en-us", "en-gb", "en-us+f2", "en-gb+f3", "de", "de+f2")
OWN = "a file"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came of a script: the mix as WAV, the picture of its fit, everything as ZIP."""

    mix: bytes
    picture: bytes
    archive: bytes
    lines: tuple[str, ...]


def page() -> None:
    """The whole page."""
    st.title("Speech on the beat")
    st.caption("A voice over a loop, on its beat and in its key: talked, rapped or sung.")
    how = st.segmented_control(
        "Bed", ("words", OWN), default="words", required=True, key="speech-bed"
    )
    with st.form("speech-form"):
        script = st.text_area("Script", SCRIPT, height=160, key="speech-script")
        bed = _own_bed() if how == OWN else _made_bed()
        request = _wishes(script)
        pressed = st.form_submit_button("Speak", type="primary", icon=":material/mic:")
    if pressed:
        st.session_state[KEPT] = None
        with st.spinner("It is being spoken on this computer."):
            try:
                st.session_state[KEPT] = _made(request, bed)
            except Exception as error:
                found = blame(error)
                if found is None:
                    raise
                st.error(found[1])
    if (made := st.session_state.get(KEPT)) is not None:
        _show(made)


def _show(made: Made) -> None:
    st.audio(made.mix, format="audio/wav")
    st.image(
        made.picture,
        caption="The voice and its words on the beats; pitch as asked (broad) and heard (fine)",
    )
    left, right = st.columns(2)
    left.download_button("Download the mix", made.mix, "speech.wav", "audio/wav")
    right.download_button(
        "Download all: stems, subtitles, report", made.archive, "speech.zip", "application/zip"
    )
    for line in made.lines:
        st.text(line)


def _wishes(script: str) -> dict[str, Any]:
    left, middle, right = st.columns(3)
    voice = left.selectbox(
        "Voice", VOICES, key="speech-voice", accept_new_options=True,
        help="espeak's languages; coqui:FOLDER, transformers:FOLDER or recorded:FILE@LANGUAGE",
    )  # fmt: skip
    mode = middle.selectbox("How", tuple(MODES), key="speech-mode")
    strength = right.slider("Strength in %", 0, 100, 100, key="speech-strength")
    with st.expander("Fit and mix"):
        left, right = st.columns(2)
        subdivision = left.selectbox(
            "Rhythmic: grid", tuple(SUBDIVISIONS), index=3, key="speech-grid"
        )
        flow = right.selectbox("Rhythmic: flow", tuple(FLOWS), key="speech-flow")
        swing = left.slider("Rhythmic: swing in %", 0, 100, 0, key="speech-swing")
        pull = right.slider("Talk: pull to the key in %", 0, 100, 35, key="speech-pull")
        melody = left.selectbox(
            "Sung: melody", tuple(MELODIES), key="speech-melody",
            format_func=lambda name: f"{name}: {MELODIES[name]}",
        )  # fmt: skip
        notes = right.text_input(
            "Sung: notes instead", "", key="speech-notes", placeholder="C4 1/4 D4 1/8 - 1/8"
        )
        above = left.slider("Voice above the bed, LU", 6, 24, 13, key="speech-above")
        around = right.slider("Bars before and after", 0, 8, 2, key="speech-around")
    return {
        "script": script,
        "voice": voice,
        "mode": mode,
        "strength": strength / 100,
        "notes": notes.strip(),
        "above": float(above),
        "around": int(around),
        "settings": {
            "subdivision": subdivision,
            "flow": flow,
            "swing": swing / 100,
            "pull": pull / 100,
            "melody": melody,
        },
    }


def _request(wish: dict[str, Any]) -> SpeechRequest:
    from audio.align import melody_text
    from audio.voice_over import Balance
    from riffapp.studio.speech import SpeechRequest

    tones = melody_text.parsed(wish["notes"]) if wish["notes"] else None
    return SpeechRequest(
        script=wish["script"],
        voice=wish["voice"],
        mode=wish["mode"],
        strength=wish["strength"],
        settings=Settings(tones=tones, **wish["settings"]),
        balance=Balance(margin_lu=wish["above"]),
        intro_bars=wish["around"],
        outro_bars=wish["around"],
    )


def _made_bed() -> Any:
    left, middle, right = st.columns(3)
    words = left.text_input("Words of the bed", BED, key="speech-words")
    bpm = float(middle.number_input("BPM", 40.0, 240.0, 96.0, key="speech-bpm"))
    key = right.text_input("Key", "C major", key="speech-key")

    def bed(folder: Path, *, lead: bool) -> Accompaniment:
        from riffapp.studio import checkpoints, files
        from riffapp.studio.accompaniment import open_accompaniment
        from riffapp.studio.text_to_audio import make_loops

        found = settings.load()
        wish = LoopRequest(
            prompt=words, bpm=bpm, key=key.strip() or None, seed=0, checkpoint=found.checkpoint
        )
        instrument = checkpoints.load(found.checkpoint, device=found.device, threads=found.threads)
        (take,) = make_loops(instrument, wish)
        saved = files.save(take, folder / "made.wav")
        return open_accompaniment(saved.sound, lead=lead)

    return bed


def _own_bed() -> Any:
    given = source()

    def bed(_: Path, *, lead: bool) -> Accompaniment:
        from riffapp.studio.accompaniment import open_accompaniment

        path, folder = given()
        with folder:
            return open_accompaniment(path, lead=lead)

    return bed


def _made(wish: dict[str, Any], bed: Any) -> Made:
    from riffapp.studio import speech, speech_files

    request = _request(wish)
    with tempfile.TemporaryDirectory() as name:
        accompaniment = bed(Path(name), lead=request.settings.melody == "lead")
        folder = Path(name) / "speech"
        folder.mkdir()
        with speech.speak(request, accompaniment) as spoken:
            saved = speech_files.save(spoken, folder / "speech.wav")
            lines = (*list(speech_files.lines(spoken, saved))[1:2], *speech_files.misfits(spoken))
        return Made(
            mix=saved.mix.read_bytes(),
            picture=saved.picture.read_bytes(),
            archive=zipped(folder),
            lines=lines,
        )
