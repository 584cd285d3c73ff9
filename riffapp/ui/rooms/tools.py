"""A plain room for everything else that is done with sound."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from riffapp.errors import blame
from riffapp.ui.components.source import source
from riffapp.ui.rooms import arranging
from riffapp.ui.rooms.arranging import Made

KEPT = "tools-made"


def page() -> None:
    """The whole page: one tool at a time, what it made below."""
    st.title("Sound tools")
    name = st.selectbox("What to do", list(TOOLS), key="tool")
    st.caption(TOOLS[name][0])
    with st.form("tool-form"):
        work = TOOLS[name][1]()
        pressed = st.form_submit_button("Make it", type="primary")
    if pressed:
        st.session_state[KEPT] = None
        with st.spinner("It is being made on this computer."):
            try:
                st.session_state[KEPT] = (name, work())
            except Exception as error:
                found = blame(error)
                if found is None:
                    raise
                st.error(found[1])
    made = st.session_state.get(KEPT)
    if made is not None and made[0] == name:
        _show(made[1])


def _show(made: Made) -> None:
    if made.sound is not None:
        st.audio(made.sound, format="audio/wav", loop=True)
        st.download_button("Download WAV", made.sound, "riffapp.wav", "audio/wav")
    if made.picture is not None:
        st.image(made.picture, caption="Spectrogram: time to the right, pitch upwards")
    if made.archive is not None:
        st.download_button("Download all (ZIP)", made.archive, "riffapp.zip", "application/zip")
    for line in made.lines:
        st.text(line)


def _analyse() -> Callable[[], Made]:
    given = source()

    def work() -> Made:
        from riffapp.studio.analysis import analyse

        path, folder = given()
        with folder:
            found = analyse(path)
        others = ", ".join(f"{bpm:.2f}" for bpm in found.bpm_choices[1:])
        lines = [
            f"Tempo {found.bpm:.2f} bpm ({found.origins['tempo']}); or {others or 'no other'}",
            f"Bar 1 at {found.downbeat_s:.3f} s",
            f"Key {found.key or 'none heard'} ({found.origins['key']})",
            "Chords " + " ".join(chord.name for chord in found.chords),
        ]
        return Made(lines=(*lines, *found.notes))

    return work


TOOLS: dict[str, tuple[str, Callable[[], Callable[[], Made]]]] = {
    "Analyse": ("Tempo, key and chords of a sound.", _analyse),
    **arranging.TOOLS,
}
