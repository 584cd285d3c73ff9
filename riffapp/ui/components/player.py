"""A player: one piece on one clock, its picture, a mixer, and a region that a hand can choose.

The browser fetches sound and picture from URLs; through Streamlit goes only what stands here. The
other half is player.html, player.css and the player*.js, which make one module in that order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import streamlit as st

from riffapp.errors import UsageError

if TYPE_CHECKING:
    from audio.types import SpectrogramParams

GAIN_DB = (-24.0, 6.0)
_HERE = Path(__file__)
_PARTS = ("wav", "sound", "axes", "paint", "load", "region", "mixer", "view")
_SOURCES = (*(_HERE.with_name(f"player_{part}.js") for part in _PARTS), _HERE.with_suffix(".js"))
_NICE_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
_APART = 0.085  # of the picture's height: nearer labels would touch

SCRIPT = "\n".join(source.read_text("utf-8") for source in _SOURCES)

_mount = st.components.v2.component(
    "riffapp_player",
    html=_HERE.with_suffix(".html").read_text("utf-8"),
    css=_HERE.with_suffix(".css").read_text("utf-8"),
    js=SCRIPT,
)


@dataclass(frozen=True, kw_only=True)
class Track:
    """One sound on the clock.

    url: a path on this server that answers a WAV (PCM of 16, 24 or 32 bits, or float).
    gain_db, muted, solo: how it begins; a listener's own setting holds until the page gives others.
    """

    name: str
    url: str
    gain_db: float = 0.0
    muted: bool = False
    solo: bool = False

    def __post_init__(self) -> None:
        _refuse_abroad(self.url)


@dataclass(frozen=True, kw_only=True)
class Face:
    """What the player shows.

    id: another id is another piece; the same one with other URLs is the same piece, sharper.
    name: as in "Play the loop"; alt: the picture in words; title: shown until it plays.
    tracks: one or several, of one rate, from the same sample on; none yet is allowed. A shorter one
        repeats within the longest where the piece loops.
    seconds, rate: length and the sounds' Hz, as far as known; 0 s: the sound itself will say.
        Beyond 5 minutes the sound is streamed: then the seam and the lock of several tracks are the
        browser's, no longer exact to the sample.
    beats: how many the piece lasts; None where no grid is known. Bar 1 begins at `first_beat_s`.
    picture: path of a spectrogram PNG as audio.codec draws it; None shows the waveform.
    pitches: labels of the pitch axis, see `pitches`; hz: the picture's lowest and highest Hz.
    selects: whether a region can be chosen; by pitch as well where `hz` is known.
    play: begin by itself, once, where the browser allows that.
    """

    id: str
    name: str
    alt: str
    title: str
    tracks: tuple[Track, ...]
    seconds: float
    rate: int
    beats: float | None = None
    meter: int = 4
    first_beat_s: float = 0.0
    loops: bool = True
    picture: str | None = None
    pitches: tuple[tuple[str, float], ...] = ()
    hz: tuple[float, float] | None = None
    selects: bool = False
    play: bool = False

    def __post_init__(self) -> None:
        if self.picture is not None:
            _refuse_abroad(self.picture)


@dataclass(frozen=True, kw_only=True)
class Region:
    """A time and a band: `low` and `high` are parts of the picture's height, 0 its bottom."""

    begin_s: float
    end_s: float
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a listener has chosen: a region or none, and the tracks as they are mixed now."""

    region: Region | None
    tracks: tuple[Track, ...]


def player(face: Face, *, key: str) -> Chosen:
    """Show a piece. A choice in the browser runs the script (or the fragment) again."""
    before: Mapping[str, Any] = st.session_state.get(key) or {}
    kept = {name: before.get(name) for name in ("region", "mixer")}
    state = _mount(
        key=key,
        data=asdict(face) | {"chosen": kept},
        on_region_change=_heard,
        on_mixer_change=_heard,
    )
    return chosen(face, state)


def chosen(face: Face, state: Mapping[str, Any]) -> Chosen:
    """What the browser says, as far as it makes sense for this piece; it may speak of another."""
    region, mixer = state.get("region"), state.get("mixer")
    mixes = mixer.get("tracks") if _speaks_of(mixer, face) else None
    tracks = face.tracks
    if isinstance(mixes, list) and len(mixes) == len(tracks):
        tracks = tuple(_mixed(track, mix) for track, mix in zip(tracks, mixes, strict=True))
    return Chosen(region=_region(face, region), tracks=tracks)


def pitches(params: SpectrogramParams) -> tuple[tuple[str, float], ...]:
    """Labels for the pitch axis: a round number of Hz, and where it stands (0 bottom, 1 top)."""
    import torch

    from audio.mel import hz_to_mel

    edges = (params.min_hz, params.max_hz)
    low, high = hz_to_mel(torch.tensor(edges, dtype=torch.float64)).tolist()
    marks: list[tuple[str, float]] = []
    for hz in _NICE_HZ:
        part = (hz_to_mel(torch.tensor(float(hz))).item() - low) / (high - low)
        last = marks[-1][1] if marks else -1.0
        if 0.02 <= part <= 0.98 and part - last >= _APART:
            text = f"{hz} Hz" if not marks else f"{hz // 1000}k" if hz >= 1000 else str(hz)
            marks.append((text, part))
    return tuple(marks)


def _heard() -> None:
    """Names the choice to Streamlit; the script's own run reads it."""


def _refuse_abroad(url: str) -> None:
    if not url.startswith("/") or url[1:2] in ("/", "\\"):
        raise UsageError(f"URL {url!r}: the player asks this server only; give a path from /")


def _speaks_of(value: object, face: Face) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and value.get("id") == face.id


def _region(face: Face, value: Any) -> Region | None:
    if not face.selects or not _speaks_of(value, face):
        return None
    begin_s, end_s, low, high = (_number(value.get(n)) for n in ("begin_s", "end_s", "low", "high"))
    if begin_s is None or end_s is None or low is None or high is None:
        return None
    begin_s, end_s = max(begin_s, 0.0), min(end_s, face.seconds or end_s)
    low, high = max(low, 0.0), min(high, 1.0)
    if begin_s >= end_s or low >= high:
        return None
    return Region(begin_s=begin_s, end_s=end_s, low=low, high=high)


def _mixed(track: Track, mix: Any) -> Track:
    gain_db = _number(mix.get("gain_db")) if isinstance(mix, Mapping) else None
    if gain_db is None:
        return track
    gain_db = min(max(gain_db, GAIN_DB[0]), GAIN_DB[1])
    return replace(
        track, gain_db=gain_db, muted=mix.get("muted") is True, solo=mix.get("solo") is True
    )


def _number(value: object) -> float | None:
    """A finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
