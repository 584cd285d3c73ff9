"""How a voice is fitted to the music and mixed with it: forms of the room of speech."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from riffapp.ui.recall import put, said

if TYPE_CHECKING:
    from audio.align.settings import Settings
    from audio.voice_over import Balance
    from riffapp.studio.speech import SpeechRequest

FIRST: dict[str, Any] = {
    "speech_start": "beat",
    "speech_gap": 0.25,
    "speech_grid": "1/16",
    "speech_flow": "dense",
    "speech_swing": 0,
    "speech_least": 0.6,
    "speech_most": 1.8,
    "speech_pull": 35,
    "speech_melody": "made",
    "speech_notes": "",
    "speech_vibrato": 30.0,
    "speech_glide": 60.0,
    "speech_above": 13.0,
    "speech_lufs": None,
    "speech_peak": -1.0,
    "speech_intro": 2,
    "speech_outro": 2,
    "speech_mono": False,
}


def fit_form() -> None:
    """Where sentences begin, and what each way of speaking does."""
    from audio.align.music import SUBDIVISIONS
    from audio.align.settings import FLOWS, MELODIES, STARTS

    left, right = st.columns(2, wrap=False)
    left.selectbox(
        "Sentences begin on a", tuple(STARTS), key="speech_start", format_func=str.capitalize
    )
    right.number_input("Gap between them (s)", step=0.05, format="%g", key="speech_gap")
    st.caption("Talk")
    st.slider("Pull to the key", 0, 100, step=5, key="speech_pull", format="%d %%")
    st.caption("Rhythmic")
    left, right = st.columns(2, wrap=False)
    left.selectbox("Grid", tuple(SUBDIVISIONS), key="speech_grid")
    right.selectbox("Flow", tuple(FLOWS), key="speech_flow", format_func=str.capitalize)
    st.slider("Swing", 0, 100, step=5, key="speech_swing", format="%d %%")
    left, right = st.columns(2, wrap=False)
    left.number_input("Stretch, least", step=0.1, format="%g", key="speech_least")
    right.number_input("Stretch, most", step=0.1, format="%g", key="speech_most")
    st.caption("Sung")
    st.selectbox(
        "Melody", tuple(MELODIES), key="speech_melody",
        format_func=lambda name: f"{name.capitalize()}: {MELODIES[name]}",
    )  # fmt: skip
    st.text_input(
        "Notes instead", key="speech_notes", placeholder="C4 1/4 D4 1/8 - 1/8",
        help="Notes and their lengths in turn; - is a rest",
    )  # fmt: skip
    left, right = st.columns(2, wrap=False)
    left.number_input("Vibrato (cents)", step=5.0, format="%g", key="speech_vibrato")
    right.number_input("Glide (ms)", step=10.0, format="%g", key="speech_glide")


def mix_form() -> None:
    """Voice against bed, loudness, bars around, channels."""
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "Voice above the bed (LU)", step=1.0, format="%g", key="speech_above",
        help="While somebody speaks; the bed ducks as far as that takes",
    )  # fmt: skip
    right.number_input(
        "Loudness (LUFS)", step=1.0, format="%g", key="speech_lufs",
        placeholder="−16, mono −19", help="Integrated, as podcasts have it",
    )  # fmt: skip
    left.number_input("True peak at most (dBTP)", step=0.5, format="%g", key="speech_peak")
    left.number_input("Bars before the voice", step=1, key="speech_intro")
    right.number_input("Bars after it", step=1, key="speech_outro")
    st.toggle("Mono", key="speech_mono")


def fitted() -> Settings:
    """The fit's settings. Raises audio's errors for what cannot be."""
    from audio.align import melody_text
    from audio.align.settings import Settings

    s = said
    notes = s.speech_notes.strip()
    return Settings(
        starts_on=s.speech_start,
        subdivision=s.speech_grid,
        swing=s.speech_swing / 100,
        flow=s.speech_flow,
        limits=(s.speech_least, s.speech_most),
        pull=s.speech_pull / 100,
        melody=s.speech_melody,
        tones=melody_text.parsed(notes) if notes else None,
        glide_s=s.speech_glide / 1000,
        vibrato_cents=s.speech_vibrato,
    )


def balance() -> Balance:
    """How voice and bed stand to one another. Raises audio's errors for what cannot be."""
    from audio.voice_over import Balance

    s = said
    return Balance(margin_lu=s.speech_above, lufs=s.speech_lufs, true_peak_db=s.speech_peak)


def fill(request: SpeechRequest, *, notes: str) -> None:
    """Put a request's fit and mix into the widgets; `notes` are the tones as they were written."""
    fit, mix = request.settings, request.balance
    put(
        {
            "speech_intro": request.intro_bars,
            "speech_outro": request.outro_bars,
            "speech_gap": request.gap_s,
            "speech_mono": request.channels == 1,
            "speech_start": fit.starts_on,
            "speech_grid": fit.subdivision,
            "speech_swing": round(100 * fit.swing),
            "speech_flow": fit.flow,
            "speech_least": fit.limits[0],
            "speech_most": fit.limits[1],
            "speech_pull": round(100 * fit.pull),
            "speech_melody": fit.melody,
            "speech_notes": notes,
            "speech_glide": 1000 * fit.glide_s,
            "speech_vibrato": fit.vibrato_cents,
            "speech_above": mix.margin_lu,
            "speech_lufs": mix.lufs,
            "speech_peak": mix.true_peak_db,
        }
    )
