"""A plain room for everything else that is done with sound: longer pieces, sound from sound."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from riffapp import settings
from riffapp.errors import blame
from riffapp.studio import checkpoints
from riffapp.studio.timeline import parse_timeline
from riffapp.studio.types import Journey, LoopRequest, Variant
from riffapp.ui.components.source import source
from riffapp.ui.rooms import arranging
from riffapp.ui.rooms.arranging import Made

if TYPE_CHECKING:
    from riffapp.studio.canvas import Canvas
    from riffapp.studio.checkpoints import Instrument
    from riffapp.studio.remake import Remade

KEPT = "tools-made"
TIMELINE = "0 | warm pad chords, no drums\n2 | add house drums\n4 | add saw bass"


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


@st.cache_resource
def _instrument(name: str, device: str, threads: int | None) -> Instrument:
    return checkpoints.load(name, device=device, threads=threads)


def _loaded() -> Instrument:
    found = settings.load()
    return _instrument(found.checkpoint, found.device, found.threads)


# ---- pieces from words ------------------------------------------------------------------------


def _length() -> dict[str, Any]:
    left, middle, right = st.columns(3)
    return {
        "bars": int(left.number_input("Bars", 1, 64, 8, key="tool-bars")),
        "bpm": float(middle.number_input("BPM", 40.0, 240.0, 120.0, key="tool-bpm")),
        "seed": int(right.number_input("Seed", 0, 2**32 - 1, 1, key="tool-seed")),
        "closed": not st.checkbox("With a beginning and an end (no loop)", key="tool-open"),
    }


def _timeline() -> Callable[[], Made]:
    text = st.text_area("Bar | words, a line each", TIMELINE, key="tool-timeline")
    blend = st.number_input("Beats to come in over", 0.0, 64.0, 4.0, key="tool-blend")
    told = _length()

    def work() -> Made:
        words, timeline = parse_timeline(text, blend_beats=float(blend))
        return _piece(LoopRequest(prompt=words, timeline=timeline, **told))

    return work


def _journey() -> Callable[[], Made]:
    start = st.text_input("From", "soft piano chords, no drums", key="tool-from")
    goal = st.text_input("To", "drum and bass drums, reese bass", key="tool-to")
    seed = st.number_input("Seed there", 0, 2**32 - 1, 2, key="tool-to-seed")
    told = _length()
    return lambda: _piece(
        LoopRequest(prompt=start, journey=Journey(prompt=goal, seed=int(seed)), **told)
    )


def _variant() -> Callable[[], Made]:
    words = st.text_input("Words", "house drums, saw bass, A minor", key="tool-words")
    far = st.slider("How different", 0.0, 1.0, 0.3, key="tool-distance")
    seed = st.number_input("Take", 0, 2**32 - 1, 1, key="tool-take")
    told = _length()
    variant = Variant(seed=int(seed), distance=float(far))
    return lambda: _piece(LoopRequest(prompt=words, variant=variant, **told))


def _piece(request: LoopRequest) -> Made:
    from riffapp.studio import files
    from riffapp.studio.text_to_audio import make_loops

    (result,) = make_loops(_loaded(), replace(request, checkpoint=settings.load().checkpoint))
    with tempfile.TemporaryDirectory() as folder:
        saved = files.save(result, Path(folder) / "piece.wav")
        return Made.of(saved.sound, saved.picture, lines=result.warnings)


# ---- sound from sound -------------------------------------------------------------------------


def _remake(make: Callable[[Instrument, Canvas, LoopRequest], Remade]) -> Callable[[], Made]:
    given = source()
    words = st.text_input("Words", "house drums, pluck lead", key="tool-remake-words")
    bpm = st.number_input("Its BPM (0: listen)", 0.0, 240.0, 0.0, key="tool-source-bpm")

    def work() -> Made:
        from riffapp.studio import files
        from riffapp.studio.canvas import open_canvas

        path, folder = given()
        with folder:
            instrument = _loaded()
            canvas = open_canvas(path, instrument.sound, bpm=float(bpm) or None)
            wish = LoopRequest(prompt=words, checkpoint=settings.load().checkpoint)
            remade = make(instrument, canvas, wish)
            saved = files.save_remade(remade, Path(folder.name) / "made.wav", bit_depth="16")
            return Made.of(saved.sound, saved.picture, lines=remade.warnings)

    return work


def _remix() -> Callable[[], Made]:
    from riffapp.studio.remake import reimagine

    strength = st.slider("Strength: 0 gives it back", 0.0, 1.0, 0.6, key="tool-strength")
    return _remake(lambda i, c, w: reimagine(i, c, w, strength=float(strength)))


def _edit() -> Callable[[], Made]:
    from riffapp.studio.remake import Region, redo

    left, right = st.columns(2)
    first = left.number_input("From bar", 1, 1200, 1, key="tool-first")
    last = right.number_input("To bar", 1, 1200, 1, key="tool-last")
    low, high = st.slider("Band in Hz", 0, 16000, (0, 16000), key="tool-band")
    region = Region(
        first_bar=first - 1.0,
        last_bar=float(last),
        low_hz=float(low),
        high_hz=None if high == 16000 else float(high),
    )
    return _remake(lambda i, c, w: redo(i, c, w, region=region))


def _extend() -> Callable[[], Made]:
    from riffapp.studio.remake import extend

    left, right = st.columns(2)
    before = int(left.number_input("Bars before", 0, 64, 0, key="tool-before"))
    after = int(right.number_input("Bars after", 0, 64, 2, key="tool-after"))
    return _remake(lambda i, c, w: extend(i, c, w, before=before, after=after))


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
    "Timeline": ("A piece whose words change, bar by bar.", _timeline),
    "Journey": ("One piece on the way from some words to others.", _journey),
    "Another take": ("A neighbour of a seed: nearly the same, or quite different.", _variant),
    "Remix": ("A recording re-imagined under other words; as long as it was.", _remix),
    "Edit": ("Some bars of a band again; the rest stays as it is.", _edit),
    "Extend": ("Played on, or led into.", _extend),
    "Analyse": ("Tempo, key and chords of a sound.", _analyse),
    **arranging.TOOLS,
}
