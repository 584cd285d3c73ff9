"""A part of a sound, in bars and Hz: drawn in its player, or typed.

The four boxes have the keys `<prefix>_from`, `_to`, `_low`, `_high`; one that is empty leaves its
side open. Places are written as the player writes them, bar.beat from 1.1 on, and the end is where
the part stops.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import streamlit as st

from riffapp.errors import UsageError
from riffapp.jobs.tasks.edit import place
from riffapp.jobs.tasks.sources import Opened
from riffapp.studio.types import BEATS_PER_BAR
from riffapp.ui.components import player
from riffapp.ui.recall import put, recall

if TYPE_CHECKING:
    from pathlib import Path

    from audio.types import SpectrogramParams
    from riffapp.studio.remake import Region

_PLACE = re.compile(r"\s*(\d+)(?:\.(\d)(?:\.(\d\d))?)?\s*")
_NEAR = 1e-3  # of a bar


def begin(prefix: str) -> None:
    """Put the boxes' values back. The player forgets its region when its page is left."""
    if f"{prefix}_from" not in st.session_state:
        st.session_state[_drawn(prefix)] = None
    recall({f"{prefix}_{name}": value for name, value in _empty().items()})


def follow(prefix: str, drawn: player.Region | None, shown: Opened) -> None:
    """Carry what was drawn since last time into the boxes, which come after this on the page."""
    if drawn != st.session_state[_drawn(prefix)]:
        st.session_state[_drawn(prefix)] = drawn
        _put(prefix, _empty() if drawn is None else _values(drawn, shown))


def fill(prefix: str, region: Region) -> None:
    """Put a region into the boxes."""
    st.session_state[_drawn(prefix)] = None
    ends = _ends(region.first_bar, region.last_bar)
    _put(prefix, {**ends, "low": region.low_hz or None, "high": region.high_hz})


def boxes(prefix: str) -> None:
    """Draw them."""
    left, right = st.columns(2, wrap=False)
    left.text_input(
        "From (bar.beat)", key=f"{prefix}_from", placeholder="the beginning",
        help="Drag over the picture above, or type it: 2.3 is the third beat of bar 2",
    )  # fmt: skip
    right.text_input(
        "To", key=f"{prefix}_to", placeholder="the end",
        help="Where it stops: from 2 to 3 is bar 2",
    )  # fmt: skip
    left.number_input(
        "Lowest Hz", step=10.0, format="%g", key=f"{prefix}_low", placeholder="all down",
        help="Basses lie below 250 Hz, hi-hats above 5000",
    )  # fmt: skip
    right.number_input(
        "Highest Hz", step=10.0, format="%g", key=f"{prefix}_high", placeholder="all up"
    )


def region(prefix: str) -> Region:
    """What the boxes say. Raises UsageError for a place that is none."""
    from riffapp.studio.remake import Region

    s = st.session_state
    return Region(
        first_bar=_bars(prefix, "from"),
        last_bar=_bars(prefix, "to"),
        low_hz=s[f"{prefix}_low"] or 0.0,
        high_hz=s[f"{prefix}_high"],
    )


def refuse(wanted: Region, mask: Path | None, shown: Opened) -> None:
    """Raises UsageError for a part that is none of this sound's, or where nothing is chosen."""
    from riffapp.studio.remake import Region

    if mask is None and wanted == Region():
        raise UsageError("nothing is chosen: drag over the picture, or give bars, a band or a mask")
    _refuse(wanted, mask, shown)


def refuse_mask(mask: Path, shown: Opened) -> None:
    """Raises UsageError for a mask that leaves all as it is."""
    from riffapp.studio.remake import Region

    _refuse(Region(), mask, shown)


def _refuse(wanted: Region, mask: Path | None, shown: Opened) -> None:
    """What the making itself would refuse, on what is shown of the sound."""
    import numpy as np
    from PIL import Image

    from audio.types import Clip, SpectrogramParams, Tempo
    from riffapp.studio.canvas import Canvas
    from riffapp.studio.remake import mask_at, mask_of

    facts = shown.facts
    with Image.open(shown.picture) as picture:
        canvas = Canvas(
            clip=Clip(samples=np.zeros((1, 1), np.float32)),  # of which a region asks nothing
            picture=picture,
            params=SpectrogramParams.from_json(dict(facts["params"])),
            tempo=Tempo(bpm=facts["bpm"], beats=facts["beats"]),
            lead=0,
            closed=facts["loops"],
            sha256="",
        )
        mask_of(canvas, wanted, None if mask is None else mask_at(mask))


def _drawn(prefix: str) -> str:
    return f"{prefix}_drawn"


def _put(prefix: str, values: dict[str, Any]) -> None:
    put({f"{prefix}_{name}": value for name, value in values.items()})


def _empty() -> dict[str, Any]:
    return {"from": "", "to": "", "low": None, "high": None}


def _values(drawn: player.Region, shown: Opened) -> dict[str, Any]:
    """What the boxes say of a region of the player; a side at the edge of the picture is open."""
    from audio.types import SpectrogramParams

    facts = shown.facts
    params = SpectrogramParams.from_json(dict(facts["params"]))
    bars = facts["beats"] / facts["meter"]
    first, last = (at_s / facts["seconds"] * bars for at_s in (drawn.begin_s, drawn.end_s))
    ends = _ends(
        None if first < _NEAR else first,
        None if last > bars - _NEAR else last,
    )
    low = None if drawn.low == 0 else _hz(drawn.low, params)
    high = None if drawn.high == 1 else _hz(drawn.high, params)
    return {**ends, "low": low, "high": high}


def _hz(part: float, params: SpectrogramParams) -> float:
    """The frequency at a part of the picture's height, in whole Hz."""
    import torch

    from audio.mel import hz_to_mel, mel_to_hz

    low, high = hz_to_mel(torch.tensor((params.min_hz, params.max_hz), dtype=torch.float64))
    return float(mel_to_hz(low + part * (high - low)).round())


def _ends(first: float | None, last: float | None) -> dict[str, Any]:
    """Bars from 0 on as the boxes have them."""
    return {
        "from": "" if first is None else place(first),
        "to": "" if last is None else place(last),
    }


def _bars(prefix: str, end: str) -> float | None:
    """A typed place in bars from 0; None where nothing is typed."""
    text = st.session_state[f"{prefix}_{end}"]
    if not text.strip():
        return None
    found = _PLACE.fullmatch(text)
    parts = ("0", "0", "0") if found is None else found.groups()
    bar, beat, rest = (int(part or first) for part, first in zip(parts, (1, 1, 0), strict=True))
    if bar < 1 or not 1 <= beat <= BEATS_PER_BAR:
        raise UsageError(
            f"'{text}' is no place: write bar.beat, such as 2.3 for the third beat of bar 2"
        )
    return bar - 1 + (beat - 1 + rest / 100) / BEATS_PER_BAR
