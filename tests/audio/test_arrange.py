"""Mixes, loudness, clicks, MIDI, stretching, stems: measured against what was planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audio import clicks, midi, mix, stems, stretch
from audio.errors import FileError, ParameterError
from audio.loops import seam
from audio.midi import Part
from audio.mix import Stem
from audio.synth import band
from audio.types import Clip, Note, Samples, Tempo

RATE = 44100


def _noise(seconds: float, level: float = 0.1, channels: int = 1) -> Clip:
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((channels, round(seconds * RATE))) * level
    return Clip(samples=samples.astype(np.float32))


def _sine(hz: float, seconds: float = 2.0) -> Clip:
    t = np.arange(round(seconds * RATE)) / RATE
    return Clip(samples=(0.5 * np.sin(2 * np.pi * hz * t))[None].astype(np.float32))


def _pitch_hz(samples: Samples) -> float:
    """Of a sine: the peak of a padded spectrum."""
    y = samples[0, 8000:-8000].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(y * np.hanning(len(y)), 1 << 21))
    return float(np.argmax(spectrum) * RATE / (1 << 21))


def test_a_mix_is_the_sum_of_what_is_heard() -> None:
    a, b, c = (_noise(1, level) for level in (0.1, 0.2, 0.05))
    heard = mix.mixed([Stem(clip=a, gain_db=-6), Stem(clip=b, muted=True), Stem(clip=c)])
    wanted = a.samples * 10 ** (-6 / 20) + c.samples
    np.testing.assert_allclose(heard.samples, wanted, atol=1e-6)
    alone = mix.mixed([Stem(clip=a, solo=True), Stem(clip=c)])
    np.testing.assert_allclose(alone.samples, a.samples)
    with pytest.raises(ParameterError, match="give all the same"):
        mix.mixed([Stem(clip=a), Stem(clip=replace(b, rate=48000))])
    with pytest.raises(ParameterError, match="no stems"):
        mix.mixed([])


def test_loudness_is_the_standards() -> None:
    """A sine of 997 Hz at -20 dBFS in one channel is -23.0 LUFS (EBU Tech 3341, less 3 dB)."""
    tone = _sine(997.0, 5.0)
    quiet = replace(tone, samples=tone.samples * np.float32(0.2))
    found = mix.loudness(quiet)
    assert found.lufs == pytest.approx(-23.0, abs=0.1)
    assert found.true_peak_db == pytest.approx(-20.0, abs=0.1)


def test_a_peak_between_samples_is_found() -> None:
    t = np.arange(RATE)
    y = np.sin(2 * np.pi * t / 4 + np.pi / 4)[None].astype(np.float32)  # samples at 0.707 only
    assert np.abs(y).max() < 0.71 and mix.true_peak(Clip(samples=y)) > 0.98


@pytest.mark.parametrize("lufs", [-14.0, -9.0])
def test_it_is_as_loud_as_wished_and_no_peak_is_over(lufs: float) -> None:
    loop = band.render(replace(band.draw(np.random.default_rng(1)), bpm=120.0)).clip
    found = mix.to_loudness(loop, lufs=lufs, circular=True)
    measured = mix.loudness(found, circular=True)
    assert measured.true_peak_db <= -1.0
    assert measured.lufs == pytest.approx(lufs, abs=0.3 if lufs == -14 else 1.5)
    assert found.n == loop.n and seam(found).jump < 3


def test_what_has_no_loudness_is_refused() -> None:
    with pytest.raises(ParameterError, match="silent"):
        mix.to_loudness(Clip(samples=np.zeros((1, RATE), np.float32)))
    with pytest.raises(ParameterError, match="10 ms of sound"):
        mix.loudness(_noise(0.01))
    with pytest.raises(ParameterError, match="no numbers"):
        mix.loudness(Clip(samples=np.full((1, RATE), np.nan, np.float32)))


def test_clicks_are_on_the_beats_to_the_sample() -> None:
    tempo = Tempo(bpm=123.4, beats=9)
    y = clicks.click_track(tempo).samples[0]
    for k in range(9):
        at = round(k * 60 / 123.4 * RATE)
        assert y[at] == 0 and np.abs(y[at + 1 : at + 40]).max() > 0.2
        assert np.abs(y[max(0, at - 200) : at]).max(initial=0.0) == 0
    accent, plain = (np.abs(np.fft.rfft(y[s : s + 1000], 1 << 14)) for s in (1, 21443))
    assert np.argmax(accent) > 1.4 * np.argmax(plain)
    counted = clicks.with_count_in(_noise(1, channels=2), tempo, bars=2)
    assert counted.n == replace(tempo, beats=8).samples(RATE) + RATE and counted.channels == 2
    with pytest.raises(ParameterError, match="9 bars"):
        clicks.with_count_in(_noise(1), tempo, bars=9)


def test_midi_is_read_as_it_was_written(tmp_path: Path) -> None:
    notes = tuple(
        Note(start_s=k * 0.25, duration_s=0.2, pitch=60 + k, velocity=90) for k in range(8)
    )
    parts = (
        Part(name="melody", notes=notes),
        Part(name="chords", notes=(), names=((0.0, "Am"), (1.0, "F"))),
    )
    for name in ("a.mid", "b.mid"):
        midi.write(tmp_path / name, parts, bpm=123.0)
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    assert b"Am" in (tmp_path / "a.mid").read_bytes()
    bpm, found = midi.read_notes(tmp_path / "a.mid")
    assert bpm == pytest.approx(123.0, abs=1e-3) and len(found) == 8
    for one, other in zip(found, notes, strict=True):
        assert (one.pitch, one.velocity) == (other.pitch, other.velocity)
        assert one.start_s == pytest.approx(other.start_s, abs=1e-3)
        assert one.duration_s == pytest.approx(other.duration_s, abs=2e-3)
    (tmp_path / "c.mid").write_bytes(b"nothing")
    with pytest.raises(FileError, match="no MIDI file"):
        midi.read_notes(tmp_path / "c.mid")


@pytest.mark.parametrize(("n", "semitones"), [(60000, 0.0), (150001, 0.0), (88200, 4.0)])
def test_length_and_pitch_change_apart(n: int, semitones: float) -> None:
    found = stretch.stretched(_sine(440.0), n, semitones=semitones)
    assert found.n == n
    cents = 1200 * np.log2(_pitch_hz(found.samples) / 440.0) - 100 * semitones
    assert abs(cents) < 5


def test_a_stretched_loop_keeps_its_seam() -> None:
    loop = band.render(replace(band.draw(np.random.default_rng(2)), bpm=120.0, bars=2)).clip
    for n in (loop.n * 3 // 4, loop.n * 4 // 3 + 7):
        found = stretch.stretched(loop, n, circular=True)
        assert found.n == n and seam(found).jump < 2
    with pytest.raises(ParameterError, match="5 times as long"):
        stretch.stretched(loop, loop.n * 5)
    with pytest.raises(ParameterError, match="30 semitones"):
        stretch.stretched(loop, loop.n, semitones=30)


@pytest.mark.parametrize("factor", [0.75, 1.37])
def test_attacks_are_where_the_stretch_puts_them(factor: float) -> None:
    """Bursts of noise at uneven times: Rubber Band alone strays by more."""
    rng, n = np.random.default_rng(0), 6 * 44100
    samples = 1e-4 * rng.standard_normal(n).astype(np.float32)
    starts = np.cumsum(rng.uniform(0.25, 0.7, 11) * 44100).astype(int)
    for start in starts:
        samples[start : start + 2000] += (
            0.5 * rng.standard_normal(2000) * np.exp(-np.arange(2000) / 500)
        )
    found = stretch.stretched(Clip(samples=samples[None]), round(n * factor)).samples[0]
    level = np.abs(found)
    for start in starts:
        at = round(start * factor)
        near = level[at - 1000 : at + 1000]
        assert abs(int(np.argmax(near > 0.2)) - 1000) < 0.005 * 44100


@pytest.mark.parametrize("bpm", [90.0, 123.7, 171.3])
def test_repeats_are_as_long_as_their_beats(bpm: float) -> None:
    """123.7 bpm makes two bars of 171139.9 samples: 37 repeats of 171140 would be 5 too long."""
    song = replace(band.draw(np.random.default_rng(2), bars=2), bpm=bpm)
    loop = band.render(song)
    found = stretch.repeated(loop, 37)
    assert found.tempo == replace(loop.tempo, beats=8 * 37)
    assert found.clip.n == found.tempo.samples(44100)
    level = float(np.sqrt(np.mean(loop.clip.samples**2)))
    for k in (1, 17, 36):
        start = round(loop.tempo.exact(44100) * k)
        turn = found.clip.samples[:, start : start + loop.clip.n - 1]
        away = turn - loop.clip.samples[:, : loop.clip.n - 1]
        assert float(np.sqrt(np.mean(away**2))) < 0.05 * level
    with pytest.raises(ParameterError, match="0 repeats"):
        stretch.repeated(loop, 0)


def test_what_sustains_and_what_strikes_sum_to_the_sound() -> None:
    tone, clicked = _sine(330.0, 3.0), clicks.click_track(Tempo(bpm=120, beats=6))
    both = replace(tone, samples=tone.samples * np.float32(0.5) + clicked.samples)
    parts = stems.harmonic_percussive(both)
    total = parts["harmonic"].samples + parts["percussive"].samples
    difference = np.abs(total - both.samples).max()
    assert 20 * np.log10(difference / np.abs(both.samples).max() + 1e-12) < -60
    sustained = parts["harmonic"].samples[0, 20000:-20000]
    assert np.corrcoef(sustained, tone.samples[0, 20000:-20000])[0, 1] > 0.95
    with pytest.raises(ParameterError, match="silent"):
        stems.harmonic_percussive(replace(tone, samples=tone.samples * 0))


def test_demucs_takes_apart_with_weights_that_are_here(tmp_path: Path) -> None:
    """A tiny network of random weights in Demucs' own file: plumbing."""
    pytest.importorskip("demucs")
    import torch
    from demucs.hdemucs import HDemucs

    torch.manual_seed(0)
    net = HDemucs(["drums", "bass"], channels=4, depth=5, samplerate=RATE, segment=2)
    args, kwargs = net._init_args_kwargs
    package = {"klass": HDemucs, "args": args, "kwargs": kwargs, "state": net.state_dict()}
    torch.save(package, tmp_path / "tiny.th")
    clip = _noise(1.0)
    found = stems.demucs_stems(clip, "tiny", weights=tmp_path)
    assert list(found) == ["drums", "bass"]
    assert all(part.n == clip.n and np.isfinite(part.samples).all() for part in found.values())
    with pytest.raises(FileError, match="no Demucs model 'other'"):
        stems.demucs_stems(clip, "other", weights=tmp_path)
