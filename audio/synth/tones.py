"""Oscillators, envelopes and circular effects: the raw material of every instrument in the band.

All functions are pure numpy over float32 arrays; time is in seconds or samples, frequency in Hz.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Samples = NDArray[np.float32]

RATE = 44100
_TABLE = 2048
_CUTOFFS_HZ = np.geomspace(60.0, 18000.0, 25)


def midi_hz(midi: float) -> float:
    """Frequency of a MIDI note number in equal temperament, A4 = 69 = 440 Hz."""
    return float(440.0 * 2.0 ** ((midi - 69.0) / 12.0))


def _harmonics(shape: str, count: int) -> NDArray[np.float64]:
    k = np.arange(1, count + 1, dtype=np.float64)
    if shape == "saw":
        return 1.0 / k
    if shape == "square":
        return np.where(k % 2 == 1, 1.0 / k, 0.0)
    if shape == "pulse":  # duty cycle 1/4
        return np.abs(np.sin(np.pi * k * 0.25)) / k
    if shape == "triangle":
        return np.where(k % 2 == 1, 1.0 / k**2, 0.0)
    if shape == "brass":  # spectral peak near the fourth harmonic
        return np.exp(-0.5 * ((np.log2(k) - 1.6) / 1.1) ** 2)
    if shape == "voice":  # odd and even, steep
        return 1.0 / k**1.4
    raise KeyError(shape)


@lru_cache(maxsize=512)
def _bank(shape: str, hz_tenths: int, resonance_tenths: int) -> Samples:
    """One cycle of `shape` through a 24 dB/octave low-pass at each of _CUTOFFS_HZ: (cutoffs,
    _TABLE).

    Built in the frequency domain up to 18 kHz, so that nothing aliases (a band-limited wavetable).
    """
    f0 = hz_tenths / 10.0
    count = max(1, min(_TABLE // 2 - 1, int(18000.0 / f0)))
    amplitude = _harmonics(shape, count)
    ratio = np.arange(1, count + 1) * f0 / _CUTOFFS_HZ[:, None]
    gain = 1.0 / (1.0 + ratio**4)
    bump = resonance_tenths / 10.0 * np.exp(-0.5 * (np.log2(ratio) / 0.2) ** 2)
    spectrum = np.zeros((len(_CUTOFFS_HZ), _TABLE // 2 + 1), dtype=np.complex128)
    spectrum[:, 1 : count + 1] = -0.5j * _TABLE * amplitude * (gain + bump)
    waves = np.asarray(fft.irfft(spectrum, axis=1))
    return np.asarray(waves / np.abs(waves[-1]).max(), dtype=np.float32)


def subtractive(
    f0: float,
    n: int,
    *,
    shape: str = "saw",
    cutoff_hz: Samples | float = 4000.0,
    resonance: float = 0.0,
    detune_cents: tuple[float, ...] = (0.0,),
    vibrato_cents: float = 0.0,
    glide_semitones: float = 0.0,
) -> Samples:
    """A classic subtractive voice: (n,) samples, peak about 1 per unison voice, averaged.

    Args:
        f0: fundamental in Hz.
        cutoff_hz: low-pass cutoff, one number or one per sample (n,).
        resonance: height of the bump at the cutoff, 0 to about 3.
        detune_cents: one unison voice for each entry.
        vibrato_cents: depth of a 5.5 Hz vibrato that fades in over 0.25 s.
        glide_semitones: pitch starts this far away and arrives within about 60 ms.
    """
    bank = _bank(shape, round(f0 * 10), round(resonance * 10))
    t = np.arange(n, dtype=np.float32) / RATE
    where = np.interp(
        np.log(np.clip(cutoff_hz, 60.0, 17999.0)), np.log(_CUTOFFS_HZ), np.arange(25.0)
    )
    row = np.minimum(where.astype(np.int32), 23)
    blend = (where - row).astype(np.float32)
    bend = np.zeros(n, dtype=np.float32)
    if vibrato_cents:
        bend += vibrato_cents / 1200 * np.sin(2 * np.pi * 5.5 * t) * np.minimum(t / 0.25, 1)
    if glide_semitones:
        bend += glide_semitones / 12 * np.exp(-t / 0.02)
    steady = not (vibrato_cents or glide_semitones)
    out = np.zeros(n, dtype=np.float32)
    for i, cents in enumerate(detune_cents):
        hz = f0 * 2.0 ** (cents / 1200)
        cycles = np.arange(n) * (hz / RATE) if steady else np.cumsum(hz / RATE * 2.0**bend)
        index = ((cycles + 0.37 * i) * _TABLE).astype(np.int64) % _TABLE
        low = bank[row, index]
        out += low + blend * (bank[row + 1, index] - low)
    return out / np.float32(len(detune_cents) ** 0.5)


def frequency_modulation(
    f0: float, n: int, *, ratio: float, index: float, decay_s: float, floor: float = 0.0
) -> Samples:
    """Two-operator FM (Chowning 1973): (n,) samples in [-1, 1].

    The modulation index starts at `index` and decays to `floor` with time constant `decay_s`.
    """
    t = np.arange(n) / RATE
    depth = floor + (index - floor) * np.exp(-t / decay_s)
    carrier = 2 * np.pi * f0 * t
    wave = np.sin(carrier + depth * np.sin(carrier * ratio))
    return np.asarray(wave, dtype=np.float32)


def struck(
    f0: float, n: int, *, partials: tuple[tuple[float, float, float], ...], stiffness: float = 0.0
) -> Samples:
    """A struck or plucked body: a sum of decaying partials, (n,) samples.

    Args:
        partials: (frequency ratio, amplitude, time constant in s) of each partial.
        stiffness: inharmonicity B of a stiff string, f_k = k f0 sqrt(1 + B k^2) (Fletcher 1964).
    """
    t = np.arange(n) / RATE
    out = np.zeros(n)
    for ratio, amplitude, decay_s in partials:
        hz = f0 * ratio * np.sqrt(1 + stiffness * ratio**2)
        if hz < 17000:
            out += amplitude * np.exp(-t / decay_s) * np.sin(2 * np.pi * hz * t)
    return np.asarray(out / max(sum(a for _, a, _ in partials), 1e-9), dtype=np.float32)


def string_partials(
    *, pluck: float, tilt: float, decay_s: float, damping: float, count: int = 20
) -> tuple[tuple[float, float, float], ...]:
    """Partials of a string struck at the fraction `pluck` of its length, for `struck`."""
    return tuple(
        (
            float(k),
            float(abs(np.sin(np.pi * k * pluck)) / k**tilt + 1e-4),
            decay_s / (1 + damping * (k - 1)),
        )
        for k in range(1, count + 1)
    )


def envelope(
    n: int, *, attack_s: float, decay_s: float, sustain: float, release_s: float
) -> Samples:
    """ADSR gain over a note that is held for `n` samples: (n + release,) samples in [0, 1]."""
    t = np.arange(n) / RATE
    rise = np.minimum(t / max(attack_s, 1e-4), 1.0)
    fall = sustain + (1 - sustain) * np.exp(-np.maximum(t - attack_s, 0) / decay_s)
    held = rise * fall
    tail = np.arange(max(1, int(release_s * 3 * RATE))) / RATE
    release = (held[-1] if n else 0.0) * np.exp(-tail / max(release_s, 1e-3))
    release *= np.linspace(1, 0, len(release)) ** 0.5
    return np.concatenate([held, release]).astype(np.float32)


def noise(n: int, *, seed: int, low_hz: float = 20.0, high_hz: float = 18000.0) -> Samples:
    """Band-limited white noise of unit standard deviation; a seed gives the same samples."""
    white = np.random.default_rng(seed).standard_normal(n)
    spectrum = np.asarray(fft.rfft(white))
    hz = np.fft.rfftfreq(n, 1 / RATE)
    spectrum *= 1 / (1 + (low_hz / np.maximum(hz, 1)) ** 8) ** 0.5
    spectrum *= 1 / (1 + (hz / high_hz) ** 8) ** 0.5
    shaped = np.asarray(fft.irfft(spectrum, n))
    return np.asarray(shaped / max(float(shaped.std()), 1e-9), dtype=np.float32)


def place(track: Samples, sound: Samples, start: int, *, gain: float = 1.0) -> None:
    """Add `sound` to the circular buffer `track` from sample `start`; its end wraps round."""
    n = len(track)
    position = start % n
    done = 0
    while done < len(sound):
        piece = sound[done : done + n - position]
        track[position : position + len(piece)] += gain * piece
        done += len(piece)
        position = 0


def low_pass(track: Samples, cutoff_hz: float) -> Samples:
    """The circular buffer through a 12 dB/octave zero-phase low-pass."""
    spectrum = np.asarray(fft.rfft(track))
    hz = np.fft.rfftfreq(len(track), 1 / RATE)
    return np.asarray(
        fft.irfft(spectrum / (1 + (hz / cutoff_hz) ** 2), len(track)), dtype=np.float32
    )


@lru_cache(maxsize=4)
def _room(decay_s: float) -> Samples:
    n = int(decay_s * 2.5 * RATE)
    t = np.arange(n) / RATE
    body = noise(n, seed=11, low_hz=180.0, high_hz=6500.0) * np.exp(-t / decay_s * 2.5)
    body[: int(0.008 * RATE)] = 0
    return np.asarray(body / np.sqrt((body**2).sum()), dtype=np.float32)


def reverb(track: Samples, *, decay_s: float, wet: float) -> Samples:
    """What a room of the given decay adds to the circular buffer; its tail wraps round."""
    room = _room(decay_s)
    size = fft.next_fast_len(len(track) + len(room), real=True)
    spectrum = np.asarray(fft.rfft(track, size)) * np.asarray(fft.rfft(room, size))
    sound = np.asarray(fft.irfft(spectrum, size), dtype=np.float32)[: len(track) + len(room)]
    out = np.zeros_like(track)
    place(out, sound, 0, gain=wet)
    return out


def echo(track: Samples, *, delay: int, feedback: float, wet: float) -> Samples:
    """The circular buffer with echoes every `delay` samples, each `feedback` of the last."""
    out = track.copy()
    gain = wet
    for k in range(1, 5):
        out += np.float32(gain) * np.roll(track, k * delay)
        gain *= feedback
    return out
