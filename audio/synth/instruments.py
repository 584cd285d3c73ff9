"""The band's pitched instruments: each a function from a MIDI note to a sound.

INSTRUMENTS[part][name](midi, n, bright) renders a note that is held for `n` samples (its
release rings on after that); `bright` scales the brightness, 1 is the instrument's own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from audio.synth.tones import (
    RATE,
    Samples,
    envelope,
    frequency_modulation,
    midi_hz,
    string_partials,
    struck,
    subtractive,
)

Voice = Callable[[int, int, float], Samples]

_RING_S = 2.2


def _shape(x: Samples, gain: Samples) -> Samples:
    return x * gain


def _decay_cutoff(n: int, *, start: float, end: float, decay_s: float, bright: float) -> Samples:
    t = np.arange(n, dtype=np.float32) / np.float32(RATE)
    return np.asarray(bright * (end + (start - end) * np.exp(-t / decay_s)), dtype=np.float32)


def _synth(
    shape: str,
    *,
    cutoff: tuple[float, float, float],
    adsr: tuple[float, float, float, float],
    resonance: float = 0.0,
    detune: tuple[float, ...] = (0.0,),
    vibrato: float = 0.0,
    glide: float = 0.0,
    gain: float = 1.0,
) -> Voice:
    """A subtractive instrument: cutoff is (start Hz, end Hz, decay s), adsr in seconds."""

    def voice(midi: int, n: int, bright: float) -> Samples:
        attack, decay, sustain, release = adsr
        amplitude = envelope(n, attack_s=attack, decay_s=decay, sustain=sustain, release_s=release)
        total = len(amplitude)
        start, end, sweep = cutoff
        sound = subtractive(
            midi_hz(midi),
            total,
            shape=shape,
            cutoff_hz=_decay_cutoff(total, start=start, end=end, decay_s=sweep, bright=bright),
            resonance=resonance,
            detune_cents=detune,
            vibrato_cents=vibrato,
            glide_semitones=glide,
        )
        return np.float32(gain) * sound * amplitude

    return voice


@lru_cache(maxsize=400)
def _struck_note(name: str, midi: int) -> Samples:
    x = _STRUCK[name](midi_hz(midi), int(_RING_S * RATE))
    x.setflags(write=False)
    return x


_STRUCK: dict[str, Callable[[float, int], Samples]] = {
    "piano": lambda f, n: struck(
        f,
        n,
        stiffness=0.0004,
        partials=string_partials(pluck=0.12, tilt=1.0, decay_s=1.1, damping=0.35),
    ),
    "guitar": lambda f, n: struck(
        f,
        n,
        partials=string_partials(pluck=0.2, tilt=0.9, decay_s=0.7, damping=0.55),
    ),
    "bells": lambda f, n: struck(
        f,
        n,
        partials=(
            (1, 1, 1.0),
            (2.0, 0.5, 0.8),
            (2.76, 0.6, 0.6),
            (5.4, 0.35, 0.3),
            (8.9, 0.2, 0.12),
        ),
    ),
    "vibraphone": lambda f, n: struck(
        f, n, partials=((1, 1, 1.1), (4, 0.35, 0.35), (10, 0.08, 0.06))
    ),
    "marimba": lambda f, n: struck(
        f, n, partials=((1, 1, 0.22), (3.93, 0.3, 0.06), (9.2, 0.15, 0.02))
    ),
    "pluck": lambda f, n: struck(
        f,
        n,
        partials=string_partials(pluck=0.35, tilt=0.6, decay_s=0.25, damping=0.4),
    ),
    "kalimba": lambda f, n: struck(
        f, n, partials=((1, 1, 0.45), (5.8, 0.25, 0.06), (2.0, 0.15, 0.3))
    ),
}


def _struck(name: str, *, release_s: float, gain: float) -> Voice:
    def voice(midi: int, n: int, bright: float) -> Samples:
        ring = _struck_note(name, midi)
        gate = envelope(n, attack_s=0.002, decay_s=1.0, sustain=1.0, release_s=release_s)
        total = min(len(ring), len(gate))
        return np.float32(gain) * ring[:total] * gate[:total]

    return voice


def _fm(
    *,
    ratio: float,
    index: float,
    decay: float,
    floor: float,
    adsr: tuple[float, float, float, float],
    gain: float,
) -> Voice:
    def voice(midi: int, n: int, bright: float) -> Samples:
        attack, fall, sustain, release = adsr
        amplitude = envelope(n, attack_s=attack, decay_s=fall, sustain=sustain, release_s=release)
        f0, depth = midi_hz(midi), index * bright
        sound = frequency_modulation(
            f0, len(amplitude), ratio=ratio, index=depth, decay_s=decay, floor=floor
        )
        return np.float32(gain) * sound * amplitude

    return voice


_ORGAN = tuple(
    (r, a, 60.0)
    for r, a in ((0.5, 0.5), (1.0, 1.0), (1.5, 0.35), (2.0, 0.7), (3.0, 0.35), (4.0, 0.45))
)


def _organ(midi: int, n: int, bright: float) -> Samples:
    amplitude = envelope(n, attack_s=0.006, decay_s=1.0, sustain=1.0, release_s=0.03)
    return np.float32(1.1) * struck(midi_hz(midi), len(amplitude), partials=_ORGAN) * amplitude


BASSES: dict[str, Voice] = {
    "sub bass": _synth("triangle", cutoff=(260, 200, 0.1), adsr=(0.008, 0.6, 0.9, 0.05), gain=1.2),
    "saw bass": _synth("saw", cutoff=(2600, 1300, 0.12), adsr=(0.004, 0.4, 0.75, 0.04)),
    "square bass": _synth("square", cutoff=(1800, 900, 0.15), adsr=(0.004, 0.4, 0.8, 0.04)),
    "acid bass": _synth(
        "saw", cutoff=(3800, 420, 0.09), resonance=2.6, adsr=(0.003, 0.25, 0.55, 0.03), gain=0.8
    ),
    "reese bass": _synth(
        "saw", cutoff=(1100, 1000, 1.0), detune=(-17, 0, 16), adsr=(0.01, 1.0, 0.95, 0.06), gain=1.1
    ),
    "fm bass": _fm(
        ratio=2.0, index=4.5, decay=0.09, floor=0.8, adsr=(0.003, 0.35, 0.6, 0.04), gain=0.9
    ),
    "slap bass": _synth(
        "pulse", cutoff=(6500, 480, 0.045), adsr=(0.002, 0.22, 0.25, 0.03), gain=1.1
    ),
}
CHORDS: dict[str, Voice] = {
    "piano": _struck("piano", release_s=0.12, gain=2.0),
    "electric piano": _fm(
        ratio=1.0, index=1.7, decay=0.35, floor=0.25, adsr=(0.003, 0.9, 0.25, 0.1), gain=1.0
    ),
    "organ": _organ,
    "strings": _synth(
        "saw", cutoff=(2600, 3000, 0.4), detune=(-9, 0, 8), vibrato=9, adsr=(0.14, 1.0, 1.0, 0.16)
    ),
    "pad": _synth(
        "saw", cutoff=(500, 1300, 0.8), detune=(-12, -3, 9), adsr=(0.22, 1.0, 1.0, 0.25), gain=1.1
    ),
    "choir": _synth(
        "voice",
        cutoff=(1000, 1100, 0.5),
        resonance=1.6,
        vibrato=14,
        detune=(-8, 7),
        adsr=(0.1, 1.0, 1.0, 0.15),
        gain=1.0,
    ),
    "supersaw": _synth(
        "saw",
        cutoff=(9000, 7000, 0.4),
        detune=(-22, -11, 0, 10, 23),
        adsr=(0.006, 0.6, 0.85, 0.06),
        gain=0.8,
    ),
    "guitar": _struck("guitar", release_s=0.05, gain=2.2),
    "brass": _synth("brass", cutoff=(900, 4200, 0.05), adsr=(0.03, 0.5, 0.85, 0.05), gain=0.9),
    "vibraphone": _struck("vibraphone", release_s=0.25, gain=1.5),
}
LEADS: dict[str, Voice] = {
    "saw lead": _synth(
        "saw", cutoff=(6000, 4000, 0.2), detune=(-6, 6), adsr=(0.004, 0.4, 0.8, 0.06)
    ),
    "square lead": _synth(
        "square", cutoff=(5200, 3600, 0.2), vibrato=12, adsr=(0.004, 0.4, 0.85, 0.05)
    ),
    "flute": _synth(
        "triangle", cutoff=(2600, 2400, 0.2), vibrato=16, adsr=(0.05, 0.6, 0.9, 0.07), gain=1.15
    ),
    "bells": _struck("bells", release_s=0.35, gain=1.7),
    "marimba": _struck("marimba", release_s=0.15, gain=1.8),
    "trumpet": _synth(
        "brass", cutoff=(1500, 6500, 0.04), vibrato=10, adsr=(0.025, 0.5, 0.85, 0.05), gain=0.85
    ),
    "pluck": _struck("pluck", release_s=0.08, gain=2.4),
    "whistle": _synth(
        "triangle", cutoff=(900, 900, 1.0), vibrato=22, glide=-1.5, adsr=(0.03, 0.5, 0.95, 0.05)
    ),
    "kalimba": _struck("kalimba", release_s=0.2, gain=1.7),
}
INSTRUMENTS: dict[str, dict[str, Voice]] = {"bass": BASSES, "chords": CHORDS, "lead": LEADS}
