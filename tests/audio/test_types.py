"""The nouns: exact musical lengths, params that travel as JSON, refusals in words."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from audio.errors import ParameterError
from audio.types import (
    RIFFUSION,
    BeatFrames,
    Clip,
    DecibelCurve,
    Loop,
    PowerCurve,
    Spectrogram,
    SpectrogramParams,
    Tempo,
    TimeFrames,
)

BEAT_GRID = SpectrogramParams(
    n_mels=128,
    min_hz=20.0,
    max_hz=16000.0,
    stereo=True,
    frames=BeatFrames(per_beat=16, window_hops=5.0),
    curve=DecibelCurve(range_db=60.0, full_scale=0.5),
)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_a_length_is_the_rounded_exact_one_at_every_tenth_of_a_bpm(rate: int) -> None:
    for tenths in range(400, 2401):
        with localcontext() as context:
            context.prec = 60
            exact = Decimal(8 * 60 * rate * 10) / tenths
            wanted = int(exact.to_integral_value(ROUND_HALF_EVEN))
        assert Tempo(bpm=tenths / 10, beats=8).samples(rate) == wanted


def test_a_tempo_is_the_decimal_that_it_prints_as() -> None:
    assert Tempo(bpm=123.4, beats=617).exact(44100) == Fraction(617 * 60 * 441000, 1234)
    assert Tempo(bpm=123.4, beats=617).exact(44100).denominator == 1  # 13230000 to the sample


def test_bars_and_seconds_follow_from_beats() -> None:
    tempo = Tempo(bpm=120, beats=6, meter=3)
    assert (tempo.bars, tempo.duration_s) == (2.0, 3.0)


@pytest.mark.parametrize("params", [RIFFUSION, BEAT_GRID], ids=["time", "beat"])
def test_params_come_back_from_json(params: SpectrogramParams) -> None:
    assert SpectrogramParams.from_json(json.loads(json.dumps(params.to_json()))) == params


def test_what_an_older_file_lacks_takes_its_default() -> None:
    read = SpectrogramParams.from_json({"n_mels": 256, "frames": {"kind": "beat"}})
    assert read == SpectrogramParams(n_mels=256, frames=BeatFrames())


@pytest.mark.parametrize("bpm", [0.0, -120.0, float("nan"), float("inf"), 1e9])
def test_a_tempo_out_of_range_is_refused(bpm: float) -> None:
    with pytest.raises(ParameterError, match="is outside 10 to 1000"):
        Tempo(bpm=bpm, beats=8)


def test_no_beats_are_refused() -> None:
    with pytest.raises(ParameterError, match="0 beats"):
        Tempo(bpm=120, beats=0)


def test_samples_of_another_shape_or_type_are_refused() -> None:
    with pytest.raises(ParameterError, match="float32 of shape"):
        Clip(samples=np.zeros(10, np.float32))
    with pytest.raises(ParameterError, match="float32 of shape"):
        Clip(samples=np.zeros((1, 10)))  # type: ignore[arg-type]


def test_a_hop_of_more_than_half_a_window_is_refused() -> None:
    with pytest.raises(ParameterError, match="at most half the window"):
        TimeFrames(hop_ms=60.0, window_ms=100.0)


def test_a_window_of_fewer_than_four_hops_is_refused() -> None:
    with pytest.raises(ParameterError, match="at least 4 hops"):
        BeatFrames(window_hops=3.0)


def test_a_power_of_zero_is_refused() -> None:
    with pytest.raises(ParameterError, match="above 0"):
        PowerCurve(power=0.0)


def test_a_range_of_no_decibels_is_refused() -> None:
    with pytest.raises(ParameterError, match="above 0"):
        DecibelCurve(range_db=0.0)


@pytest.mark.parametrize("ends", [(500.0, 400.0), (0.0, 30000.0), (-1.0, 400.0)])
def test_a_mel_range_beyond_the_rate_is_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(ParameterError, match="within 0 to 22050 Hz"):
        SpectrogramParams(min_hz=ends[0], max_hz=ends[1])


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ParameterError, match="rate 0 Hz is outside"):
        SpectrogramParams(rate=0)


def test_no_mel_bands_are_refused() -> None:
    with pytest.raises(ParameterError, match="0 mel bands"):
        SpectrogramParams(n_mels=0)


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ParameterError, match="unknown SpectrogramParams setting 'n_mel'"):
        SpectrogramParams.from_json({"n_mel": 128})


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ParameterError, match="unknown curve kind 'log'"):
        SpectrogramParams.from_json({"curve": {"kind": "log"}})


def test_magnitudes_that_do_not_fit_the_params_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"need \(1, 512, frames\)"):
        Spectrogram(magnitudes=np.zeros((1, 128, 8), np.float32), params=RIFFUSION)


def test_a_loop_of_another_length_than_its_tempo_is_refused() -> None:
    with pytest.raises(ParameterError, match="are 22050 samples at 44100 Hz"):
        Loop(clip=Clip(samples=np.zeros((1, 22051), np.float32)), tempo=Tempo(bpm=120, beats=1))
