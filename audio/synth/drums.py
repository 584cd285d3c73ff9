"""Drum kits: every sound is one fixed recording, as in a drum machine, made once from formulas.

A hit always plays the same samples (only louder or softer). Real machines do so too, and it
means that the noise of a snare is a texture to be learned and not new information at each stroke.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from audio.synth.tones import RATE, Samples, noise

KITS = ("909", "808", "acoustic", "lo-fi", "electro", "breakbeat")
SOUNDS = (
    "kick",
    "snare",
    "clap",
    "hat",
    "open hat",
    "ride",
    "shaker",
    "cowbell",
    "tom",
    "rim",
    "conga",
    "crash",
)


def _seconds(duration_s: float) -> Samples:
    return np.arange(int(duration_s * RATE), dtype=np.float32) / np.float32(RATE)


def _fade(x: Samples) -> Samples:
    k = min(len(x), 400)
    x[-k:] *= np.linspace(1, 0, k, dtype=np.float32)
    return x


def _kick(
    top: float, bottom: float, sweep_s: float, decay_s: float, *, click: float, drive: float
) -> Samples:
    t = _seconds(decay_s * 4)
    hz = bottom + (top - bottom) * np.exp(-t / sweep_s)
    body = np.sin(2 * np.pi * np.cumsum(hz) / RATE) * np.exp(-t / decay_s)
    snap = noise(len(t), seed=1, low_hz=1500, high_hz=9000) * np.exp(-t / 0.004) * click
    x = np.tanh((body + snap) * drive) / np.tanh(drive)
    return _fade(x.astype(np.float32))


def _snare(
    tone_hz: float, tone_s: float, noise_s: float, *, low: float, high: float, mix: float
) -> Samples:
    t = _seconds(max(tone_s, noise_s) * 4.5)
    bend = tone_hz * (1 + 0.25 * np.exp(-t / 0.01))
    tone = np.sin(2 * np.pi * np.cumsum(bend) / RATE) + 0.6 * np.sin(
        2 * np.pi * np.cumsum(bend * 1.74) / RATE
    )
    rattle = noise(len(t), seed=2, low_hz=low, high_hz=high) * np.exp(-t / noise_s) * 0.45
    return _fade(
        (tone * np.exp(-t / tone_s) * (1 - mix) * 0.6 + rattle * mix * 1.4).astype(np.float32)
    )


def _clap(decay_s: float, *, low: float, high: float) -> Samples:
    t = _seconds(decay_s * 4 + 0.03)
    gain = np.zeros_like(t)
    for k, start in enumerate((0.0, 0.010, 0.021)):
        on = t >= start
        gain[on] = np.exp(-(t[on] - start) / (0.006 if k < 2 else decay_s))
    return _fade((noise(len(t), seed=3, low_hz=low, high_hz=high) * gain * 0.5).astype(np.float32))


def _metal(decay_s: float, *, low: float, high: float, tone: float, seed: int) -> Samples:
    """Six detuned square waves and noise through a high-pass: the 808's recipe for cymbals."""
    t = _seconds(decay_s * 4.5)
    ring = sum(
        np.sign(np.sin(2 * np.pi * hz * t))
        for hz in (2053.0, 3031.0, 3692.0, 4521.0, 5407.0, 8003.0)
    )
    spectrum = np.fft.rfft(np.asarray(ring))
    hz = np.fft.rfftfreq(len(t), 1 / RATE)
    spectrum *= 1 / (1 + (low / np.maximum(hz, 1)) ** 8) ** 0.5 / (1 + (hz / high) ** 8) ** 0.5
    metal = np.fft.irfft(spectrum, len(t))
    metal /= max(float(metal.std()), 1e-9)
    hiss = noise(len(t), seed=seed, low_hz=low, high_hz=high)
    return _fade(
        ((tone * metal + (1 - tone) * hiss) * np.exp(-t / decay_s) * 0.3).astype(np.float32)
    )


def _pitched(hz: float, decay_s: float, *, sweep: float, overtone: float) -> Samples:
    t = _seconds(decay_s * 4.5)
    phase = 2 * np.pi * np.cumsum(hz * (1 + sweep * np.exp(-t / 0.02))) / RATE
    return _fade(
        ((np.sin(phase) + overtone * np.sin(phase * 1.51)) * np.exp(-t / decay_s) * 0.6).astype(
            np.float32
        )
    )


def _cowbell(decay_s: float) -> Samples:
    t = _seconds(decay_s * 4.5)
    x = np.sign(np.sin(2 * np.pi * 562 * t)) + np.sign(np.sin(2 * np.pi * 845 * t))
    return _fade(
        (x * (0.7 * np.exp(-t / 0.02) + 0.3 * np.exp(-t / decay_s)) * 0.25).astype(np.float32)
    )


def _shaker(decay_s: float) -> Samples:
    t = _seconds(decay_s * 4)
    gain = np.minimum(t / 0.012, 1) * np.exp(-np.maximum(t - 0.012, 0) / decay_s)
    return _fade(
        (noise(len(t), seed=5, low_hz=4500, high_hz=12000) * gain * 0.25).astype(np.float32)
    )


# kit: (kick, snare, clap, closed hat, open hat) parameters that differ most between machines
_RECIPES: dict[str, dict[str, Callable[[], Samples]]] = {
    "909": {
        "kick": lambda: _kick(230, 52, 0.018, 0.13, click=0.35, drive=1.8),
        "snare": lambda: _snare(190, 0.05, 0.085, low=900, high=9000, mix=0.62),
        "clap": lambda: _clap(0.09, low=800, high=6000),
        "hat": lambda: _metal(0.022, low=7000, high=15000, tone=0.5, seed=4),
        "open hat": lambda: _metal(0.11, low=6500, high=15000, tone=0.5, seed=4),
    },
    "808": {
        "kick": lambda: _kick(110, 44, 0.03, 0.33, click=0.06, drive=1.2),
        "snare": lambda: _snare(210, 0.06, 0.06, low=2500, high=11000, mix=0.5),
        "clap": lambda: _clap(0.12, low=900, high=4500),
        "hat": lambda: _metal(0.016, low=8500, high=14000, tone=0.85, seed=6),
        "open hat": lambda: _metal(0.16, low=7500, high=14000, tone=0.85, seed=6),
    },
    "acoustic": {
        "kick": lambda: _kick(140, 62, 0.012, 0.085, click=0.55, drive=1.1),
        "snare": lambda: _snare(235, 0.075, 0.12, low=400, high=12000, mix=0.55),
        "clap": lambda: _clap(0.05, low=1200, high=7000),
        "hat": lambda: _metal(0.028, low=4800, high=17000, tone=0.15, seed=7),
        "open hat": lambda: _metal(0.2, low=4200, high=17000, tone=0.15, seed=7),
    },
    "lo-fi": {
        "kick": lambda: _kick(120, 58, 0.02, 0.1, click=0.15, drive=2.4),
        "snare": lambda: _snare(170, 0.06, 0.07, low=500, high=4200, mix=0.6),
        "clap": lambda: _clap(0.07, low=600, high=3500),
        "hat": lambda: _metal(0.025, low=3000, high=6500, tone=0.1, seed=8),
        "open hat": lambda: _metal(0.1, low=2800, high=6500, tone=0.1, seed=8),
    },
    "electro": {
        "kick": lambda: _kick(420, 58, 0.03, 0.11, click=0.0, drive=2.8),
        "snare": lambda: _snare(330, 0.09, 0.05, low=1500, high=14000, mix=0.4),
        "clap": lambda: _clap(0.06, low=1500, high=10000),
        "hat": lambda: _metal(0.012, low=9500, high=17500, tone=0.3, seed=9),
        "open hat": lambda: _metal(0.08, low=9000, high=17500, tone=0.3, seed=9),
    },
    "breakbeat": {
        "kick": lambda: _kick(170, 74, 0.014, 0.075, click=0.7, drive=2.0),
        "snare": lambda: _snare(290, 0.05, 0.1, low=1200, high=14000, mix=0.7),
        "clap": lambda: _clap(0.06, low=1200, high=9000),
        "hat": lambda: _metal(0.03, low=5600, high=15500, tone=0.3, seed=10),
        "open hat": lambda: _metal(0.14, low=5000, high=15500, tone=0.3, seed=10),
    },
}
_SHARED: dict[str, Callable[[], Samples]] = {
    "ride": lambda: _metal(0.28, low=5200, high=13000, tone=0.7, seed=12) * np.float32(0.7),
    "shaker": lambda: _shaker(0.035),
    "cowbell": lambda: _cowbell(0.07),
    "tom": lambda: _pitched(105, 0.16, sweep=0.5, overtone=0.2),
    "rim": lambda: _pitched(1650, 0.012, sweep=0.1, overtone=0.7),
    "conga": lambda: _pitched(250, 0.09, sweep=0.12, overtone=0.35),
    "crash": lambda: _metal(0.5, low=3500, high=16000, tone=0.3, seed=13),
}


@lru_cache(maxsize=128)
def hit(kit: str, sound: str) -> Samples:
    """The recording of one drum of one kit: (n,) samples, peak about 1. Do not write into it."""
    recipe = _RECIPES[kit].get(sound) or _SHARED[sound]
    x = recipe()
    x.setflags(write=False)
    return x
