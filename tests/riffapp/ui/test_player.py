"""What the player is told and what it answers, the browser left out (test_player_browser.py)."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from audio.types import SpectrogramParams
from riffapp.errors import UsageError
from riffapp.ui.components.player import (
    GAIN_DB,
    SCRIPT,
    Chosen,
    Face,
    Region,
    Track,
    chosen,
    pitches,
)

TRACKS = (
    Track(name="drums", url="/riffapp/files/7/1?wav"),
    Track(name="bass", url="/riffapp/files/7/2?wav", gain_db=-3.0),
)
FACE = Face(
    id="7",
    name="the loop",
    alt="Spectrogram of the loop",
    title="2 bars",
    tracks=TRACKS,
    seconds=4.0,
    rate=44100,
    beats=8,
    picture="/riffapp/files/7/0",
    hz=(30.0, 16000.0),
    selects=True,
)
REGION = {"id": "7", "begin_s": 0.5, "end_s": 1.5, "low": 0.25, "high": 0.75}
MIX = {"gain_db": -6.0, "muted": True, "solo": False}


def script() -> None:
    import streamlit as st

    from riffapp.ui.components.player import Face, Track, player

    track = Track(name="drums", url="/riffapp/files/7/1?wav")
    face = Face(id="7", name="n", alt="a", title="t", tracks=(track,), seconds=2.0, rate=44100)
    said = player(face, key="it")
    st.text(repr((said.region, said.tracks == face.tracks)))


def test_only_addresses_and_facts_go_to_the_browser() -> None:
    at = AppTest.from_function(script).run()
    assert not at.exception
    (element,) = at.get("bidi_component")
    told = json.loads(element.proto.json)
    assert told["tracks"] == [
        {
            "name": "drums",
            "url": "/riffapp/files/7/1?wav",
            "gain_db": 0,
            "muted": False,
            "solo": False,
        }
    ]
    assert told["chosen"] == {"region": None, "mixer": None}
    assert len(element.proto.json) < 1000
    assert at.text[0].value == "(None, True)"  # nothing chosen, the tracks as they were given


def test_a_region_comes_back_as_it_was_chosen() -> None:
    assert chosen(FACE, {"region": REGION, "mixer": None}) == Chosen(
        region=Region(begin_s=0.5, end_s=1.5, low=0.25, high=0.75), tracks=TRACKS
    )


def test_a_region_stays_within_the_piece() -> None:
    wide = REGION | {"begin_s": -1, "end_s": 99, "low": -0.5, "high": 2}
    assert chosen(FACE, {"region": wide}).region == Region(begin_s=0.0, end_s=4.0)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "all of it",
        REGION | {"id": "8"},
        REGION | {"begin_s": math.nan},
        REGION | {"end_s": "1.5"},
        REGION | {"low": True},
        REGION | {"begin_s": 1.5},
        REGION | {"high": 0.25},
        REGION | {"begin_s": 4.0, "end_s": 5.0},
        {"id": "7"},
    ],
    ids=str,
)
def test_what_is_no_region_of_this_piece_is_none(value: object) -> None:
    assert chosen(FACE, {"region": value}).region is None


def test_where_nothing_can_be_chosen_nothing_is() -> None:
    assert chosen(replace(FACE, selects=False), {"region": REGION}).region is None


def test_the_mix_comes_back_on_the_tracks_that_it_is_of() -> None:
    mixer = {"id": "7", "tracks": [MIX, MIX | {"gain_db": 1, "muted": False, "solo": True}]}
    drums, bass = chosen(FACE, {"mixer": mixer}).tracks
    assert drums == replace(TRACKS[0], gain_db=-6.0, muted=True)
    assert bass == replace(TRACKS[1], gain_db=1.0, solo=True)


def test_a_gain_stays_within_what_the_slider_offers() -> None:
    mixer = {"id": "7", "tracks": [MIX | {"gain_db": 1e9}, MIX | {"gain_db": -1e9}]}
    assert tuple(track.gain_db for track in chosen(FACE, {"mixer": mixer}).tracks) == GAIN_DB[::-1]
    assert f"const GAIN_DB = [{GAIN_DB[0]:g}, {GAIN_DB[1]:g}];" in SCRIPT


@pytest.mark.parametrize(
    "mixer",
    [
        None,
        {"id": "8", "tracks": [MIX, MIX]},
        {"id": "7", "tracks": [MIX]},
        {"id": "7", "tracks": "loud"},
        {"id": "7", "tracks": [None, {"gain_db": math.inf}]},
        {"id": "7"},
    ],
    ids=str,
)
def test_what_is_no_mix_of_this_piece_leaves_the_tracks_as_given(mixer: object) -> None:
    assert chosen(FACE, {"mixer": mixer}).tracks == TRACKS


@pytest.mark.parametrize(
    "url", ["https://example.org/a.wav", "//example.org/a.wav", "/\\example.org", "a.wav", ""]
)
def test_another_machine_is_never_asked(url: str) -> None:
    with pytest.raises(UsageError, match="the player asks this server only; give a path from /"):
        Track(name="drums", url=url)
    with pytest.raises(UsageError, match="this server only"):
        replace(FACE, picture=url)


def test_pitch_labels_stand_where_their_mel_is() -> None:
    def mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    found: dict[str, Any] = dict(pitches(SpectrogramParams(min_hz=30.0, max_hz=16000.0)))
    spread = mel(16000.0) - mel(30.0)
    assert found["100 Hz"] == pytest.approx((mel(100.0) - mel(30.0)) / spread, abs=1e-6)
    assert found["2k"] == pytest.approx((mel(2000.0) - mel(30.0)) / spread, abs=1e-6)
    heights = sorted(found.values())
    assert all(b - a >= 0.085 for a, b in zip(heights, heights[1:], strict=False))
