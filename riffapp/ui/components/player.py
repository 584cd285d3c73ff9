"""A take that plays without a gap: its picture, its samples, and what a screen reader says."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from riffapp.studio.types import BEATS_PER_BAR, LoopResult

if TYPE_CHECKING:
    from audio.types import Clip, SpectrogramParams

_HERE = Path(__file__)
_NICE_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
_APART = 0.085  # of the picture's height: nearer labels would touch

_mount = st.components.v2.component(
    "riffapp_player",
    html=_HERE.with_suffix(".html").read_text("utf-8"),
    css=_HERE.with_suffix(".css").read_text("utf-8"),
    js=_HERE.with_suffix(".js").read_text("utf-8"),
)


def player(take: LoopResult, *, name: str, key: str, play: bool) -> None:
    """Show a take; with `play` it starts by itself, once, where the browser allows that."""
    _mount(key=key, data=face(take, name=name, key=key, play=play))


def face(take: LoopResult, *, name: str, key: str, play: bool) -> dict[str, Any]:
    """All that the player in the browser needs, as plain data."""
    request, clip = take.request, take.loop.clip
    return {
        "id": key,
        "name": name,
        "title": f"{_bars(request.bars)} · {request.bpm:g} bpm · {clip.duration_s:.3f} s",
        "alt": describe(take, name=name),
        "beats": take.loop.tempo.beats,
        "meter": BEATS_PER_BAR,
        "rate": clip.rate,
        "channels": [_base64(wave) for wave in pcm16(clip)],
        "picture": picture(take),
        "pitches": pitches(take.params),
        "play": play,
    }


def describe(take: LoopResult, *, name: str) -> str:
    """The picture in words."""
    request, params = take.request, take.params
    return (
        f"Spectrogram of {name}, {request.prompt}: {_bars(request.bars)} at {request.bpm:g} bpm "
        f"from left to right, {params.min_hz:g} to {params.max_hz:g} Hz from bottom to top"
    )


def pcm16(clip: Clip) -> np.ndarray[Any, Any]:
    """The samples (channels, n) as little-endian 16 bit, which is all that ears need here."""
    steps: np.ndarray[Any, Any] = np.rint(clip.samples * 32768.0)
    return steps.clip(-32768, 32767).astype("<i2")


def picture(take: LoopResult) -> dict[str, Any]:
    """Loudness 0 to 255 of each pixel, rows from the top; of stereo the louder side."""
    pixels = np.asarray(take.picture)
    planes = pixels[..., 1:] if take.params.stereo else pixels[..., :1]
    loudness = 255 - planes.min(axis=-1)  # in the picture loud is dark
    height, width = loudness.shape
    return {"width": width, "height": height, "pixels": _base64(loudness)}


def pitches(params: SpectrogramParams) -> list[tuple[str, float]]:
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
    return marks


def _bars(n: int) -> str:
    return f"{n} bar" if n == 1 else f"{n} bars"


def _base64(array: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
