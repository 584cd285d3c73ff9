"""What the room of spectrograms has for finished sounds: export, tempo and pitch, stems, clips."""

from __future__ import annotations

import filecmp
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from riffapp.jobs.tasks.finished import DEMUCS, Clipping, Exporting, OfSound, Parting, Stretching
from riffapp.studio.arrange import Cuts, Export, Retiming
from riffapp.ui import visitor
from riffapp.ui.here import is_here
from riffapp.ui.recall import said

_HALVES = "Harmonic and percussive"
_TIMES = {"As it is": 1.0, "Half time": 2.0, "Double time": 0.5}
FIRST: dict[str, Any] = {
    "spectrogram_lufs": -14.0,
    "spectrogram_peak": -1.0,
    "spectrogram_repeat": 1,
    "spectrogram_click": False,
    "spectrogram_count_in": 0,
    "spectrogram_new_bpm": None,
    "spectrogram_from_bpm": None,
    "spectrogram_times": "As it is",
    "spectrogram_semitones": 0.0,
    "spectrogram_model": None,
    "spectrogram_weights": "",
    "spectrogram_count": 8,
    "spectrogram_bars": 2,
    "spectrogram_clip_ms": 5120.0,
    "spectrogram_by": "Bars",
    "spectrogram_clip_bpm": None,
    "spectrogram_first": None,
    "spectrogram_clip_seed": 0,
}


def quality_box() -> None:
    """How long a picture is turned into sound."""
    from audio.phase import QUALITIES

    st.segmented_control(
        "Quality", tuple(QUALITIES), required=True, key="spectrogram_quality",
        format_func=str.capitalize, help="How long the picture is turned into sound",
    )  # fmt: skip


def export_form() -> None:
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "Loudness (LUFS)", step=1.0, format="%g", key="spectrogram_lufs",
        placeholder="as it is", help="Integrated; −14 is what music services play at",
    )  # fmt: skip
    right.number_input("True peak at most (dBTP)", step=0.5, format="%g", key="spectrogram_peak")
    left.number_input("How often it plays", step=1, key="spectrogram_repeat")
    right.number_input(
        "Count-in (bars)", step=1, key="spectrogram_count_in", help="Bars of clicks before it"
    )
    st.toggle("A click on each beat", key="spectrogram_click")


def retime_form() -> None:
    left, right = st.columns(2, wrap=False)
    left.number_input(
        "New tempo (BPM)", step=1.0, format="%g", key="spectrogram_new_bpm",
        placeholder="as it is", help="A loop of riffapp's is played anew from its picture, exactly",
    )  # fmt: skip
    right.number_input(
        "Its own tempo", step=1.0, format="%g", key="spectrogram_from_bpm",
        placeholder="as its file says", help="Where its file says none",
    )  # fmt: skip
    st.segmented_control("Feel", tuple(_TIMES), key="spectrogram_times", required=True)
    st.number_input(
        "Semitones", step=1.0, format="%g", key="spectrogram_semitones", help="−24 to 24"
    )
    quality_box()


def part_form() -> None:
    if not is_here():
        return
    st.selectbox(
        "By", (None, *DEMUCS), key="spectrogram_model", placeholder=_HALVES,
        format_func=lambda name: name or _HALVES,
        help="Demucs parts drums, bass, voice and others, where its files are on this computer",
    )  # fmt: skip
    if st.session_state.spectrogram_model is not None:
        st.text_input("Folder with its files", key="spectrogram_weights")


def clip_form() -> None:
    left, right = st.columns(2, wrap=False)
    left.number_input("How many", step=1, key="spectrogram_count")
    right.number_input(
        "Seed", step=1, key="spectrogram_clip_seed", help="The same seed cuts the same clips"
    )
    st.segmented_control("Cut by", ("Bars", "Time"), key="spectrogram_by", required=True)
    if st.session_state.spectrogram_by == "Time":
        st.number_input("Milliseconds", step=10.0, format="%g", key="spectrogram_clip_ms")
        return
    left, middle, right = st.columns(3, wrap=False)
    left.number_input("Bars", step=1, key="spectrogram_bars")
    middle.number_input(
        "Its tempo", step=1.0, format="%g", key="spectrogram_clip_bpm", placeholder="heard"
    )
    right.number_input(
        "Bar 1 at (s)", step=0.01, format="%g", key="spectrogram_first", placeholder="heard"
    )


# ---- tasks ------------------------------------------------------------------------------------


def exporting(file: Mapping[str, Any], kept: Mapping[str, Any]) -> Exporting:
    s = said
    wish = Export(
        lufs=s.spectrogram_lufs,
        true_peak_db=s.spectrogram_peak,
        repeat=s.spectrogram_repeat,
        click=s.spectrogram_click,
        count_in=s.spectrogram_count_in,
    )
    return Exporting(**file, **kept, wish=wish)


def stretching(file: Mapping[str, Any], kept: Mapping[str, Any]) -> Stretching:
    s = said
    wish = Retiming(
        bpm=s.spectrogram_new_bpm,
        from_bpm=s.spectrogram_from_bpm,
        times=_TIMES[s.spectrogram_times],
        semitones=s.spectrogram_semitones,
        quality=s.spectrogram_quality,
    )
    return Stretching(**file, **kept, wish=wish, picture=_picture_of(file["source"]))


def parting(file: Mapping[str, Any], kept: Mapping[str, Any]) -> Parting:
    s = said
    if s.spectrogram_model is None or not is_here():
        return Parting(**file, **kept)
    weights = Path(s.spectrogram_weights.strip()).expanduser()
    return Parting(**file, **kept, model=s.spectrogram_model, weights=weights)


def clipping(file: Mapping[str, Any], kept: Mapping[str, Any]) -> Clipping:
    s = said
    by_bars = s.spectrogram_by == "Bars"
    wish = Cuts(
        count=s.spectrogram_count,
        bars=s.spectrogram_bars if by_bars else None,
        duration_ms=s.spectrogram_clip_ms,
        bpm=s.spectrogram_clip_bpm if by_bars else None,
        first_beat_s=s.spectrogram_first if by_bars else None,
        seed=s.spectrogram_clip_seed,
    )
    return Clipping(**file, **kept, wish=wish)


def _picture_of(sound: Path) -> Path | None:
    """The picture that a sound of the gallery was made from."""
    work = visitor.gallery().holding(sound, owner=visitor.owner())
    if work is None:
        return None
    pictures = {one.path.stem: one.path for one in work.files if one.role == "picture"}
    for one in work.files:
        is_its = one.path.stem in pictures and one.path.suffix == sound.suffix
        if is_its and filecmp.cmp(one.path, sound, shallow=False):
            return pictures[one.path.stem]
    return None


# ---- and back ---------------------------------------------------------------------------------


def told_of(task: OfSound) -> dict[str, Any]:
    """What a task's widgets say, by their names without the room's."""
    if isinstance(task, Exporting):
        one = task.wish
        return {
            "tool": "export",
            "lufs": one.lufs,
            "peak": one.true_peak_db,
            "repeat": one.repeat,
            "click": one.click,
            "count_in": one.count_in,
        }
    if isinstance(task, Stretching):
        new = task.wish
        times = next(name for name, value in _TIMES.items() if value == new.times)
        return {
            "tool": "retime",
            "new_bpm": new.bpm,
            "from_bpm": new.from_bpm,
            "times": times,
            "semitones": new.semitones,
            "quality": new.quality,
        }
    if isinstance(task, Parting):
        weights = "" if task.weights is None else str(task.weights)
        return {"tool": "part", "model": task.model, "weights": weights}
    assert isinstance(task, Clipping)  # the last of them
    cuts = task.wish
    told: dict[str, Any] = {"tool": "clip", "count": cuts.count, "clip_seed": cuts.seed}
    if cuts.bars is None:
        return told | {"by": "Time", "clip_ms": cuts.duration_ms}
    told |= {"by": "Bars", "bars": cuts.bars}
    return told | {"clip_bpm": cuts.bpm, "first": cuts.first_beat_s}
