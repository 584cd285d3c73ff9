"""The nouns of the sound library: clips, tempi, grids, curves and spectrograms.

Data at rest is numpy; everything here is frozen and given by keyword.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audio.errors import ParameterError

Samples = NDArray[np.float32]

MIN_BPM, MAX_BPM = 10.0, 1000.0
RATES = (8000, 192000)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """Sound: float32 samples of shape (channels, n) in [-1, 1] at `rate` Hz."""

    samples: Samples
    rate: int = 44100

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != np.float32:
            raise ParameterError(
                f"samples of shape {self.samples.shape} and type {self.samples.dtype}: "
                "a clip holds float32 of shape (channels, n)"
            )

    @property
    def channels(self) -> int:
        return int(self.samples.shape[0])

    @property
    def n(self) -> int:
        """Samples per channel."""
        return int(self.samples.shape[1])

    @property
    def duration_s(self) -> float:
        return self.n / self.rate


@dataclass(frozen=True, kw_only=True)
class Tempo:
    """A musical length: `beats` beats at `bpm`, `meter` beats to the bar.

    `bpm` is taken as the decimal number that it prints as, so 123.4 is 1234/10 and no length is
    ever rounded the wrong way by binary fractions.
    """

    bpm: float
    beats: int
    meter: int = 4

    def __post_init__(self) -> None:
        if not (math.isfinite(self.bpm) and MIN_BPM <= self.bpm <= MAX_BPM):
            raise ParameterError(
                f"bpm {self.bpm:g} is outside {MIN_BPM:g} to {MAX_BPM:g}: "
                "give the tempo in beats per minute"
            )
        if self.beats < 1 or self.meter < 1:
            raise ParameterError(
                f"{self.beats} beats in a meter of {self.meter}: both must be at least 1"
            )

    def exact(self, rate: int) -> Fraction:
        """The length in samples at `rate` Hz before rounding."""
        return Fraction(self.beats * 60 * rate) / Fraction(str(self.bpm))

    def samples(self, rate: int) -> int:
        """The length in whole samples at `rate` Hz: round(beats * 60 / bpm * rate)."""
        return round(self.exact(rate))

    @property
    def bars(self) -> float:
        return self.beats / self.meter

    @property
    def duration_s(self) -> float:
        return float(self.exact(1))


@dataclass(frozen=True, kw_only=True)
class TimeFrames:
    """Frames counted by time, as Riffusion does: a Hann window zero-padded to `padded_ms`."""

    hop_ms: float = 10.0
    window_ms: float = 100.0
    padded_ms: float = 400.0

    def __post_init__(self) -> None:
        if not 0 < self.hop_ms <= self.window_ms / 2 or self.padded_ms < self.window_ms:
            raise ParameterError(
                f"hop {self.hop_ms:g} ms, window {self.window_ms:g} ms, padded {self.padded_ms:g} "
                "ms: the hop is at most half the window and the window at most the padded length"
            )


@dataclass(frozen=True, kw_only=True)
class BeatFrames:
    """Frames counted by beat: hop = beat / per_beat, a Hann window of `window_hops` hops."""

    per_beat: int = 32
    window_hops: float = 4.0

    def __post_init__(self) -> None:
        if self.per_beat < 1 or self.window_hops < 4:
            raise ParameterError(
                f"{self.per_beat} frames per beat, window of {self.window_hops:g} hops: "
                "give at least 1 frame per beat and a window of at least 4 hops"
            )


@dataclass(frozen=True, kw_only=True)
class PowerCurve:
    """Riffusion's picture level: (magnitude / max_value) ** power.

    `max_value` None stands for the maximum of the picture; `codec.analyse` fills it in, so that
    the picture can carry it and the level survives the way back.
    """

    power: float = 0.25
    max_value: float | None = None

    def __post_init__(self) -> None:
        if not self.power > 0 or (self.max_value is not None and not self.max_value > 0):
            raise ParameterError(
                f"power {self.power:g} and max_value {self.max_value}: both must be above 0"
            )


@dataclass(frozen=True, kw_only=True)
class DecibelCurve:
    """A fixed level: linear in dB over `range_db` below `full_scale`, silent at or below it."""

    range_db: float = 72.0
    full_scale: float = 1.0

    def __post_init__(self) -> None:
        if not (self.range_db > 0 and self.full_scale > 0):
            raise ParameterError(
                f"range {self.range_db:g} dB and full scale {self.full_scale:g}: "
                "both must be above 0"
            )


@dataclass(frozen=True, kw_only=True)
class SpectrogramParams:
    """How sound becomes a spectrogram and a spectrogram a picture.

    On time frames a magnitude is Riffusion's: the mel sum of |STFT| of samples scaled to 16 bit.
    On beat frames it is a level that does not depend on the tempo: the root of the mel sum of
    |STFT|^2, where a full-scale sine in the middle of a band is about 1 (see `audio.mel`).
    """

    rate: int = 44100
    stereo: bool = False
    n_mels: int = 512
    min_hz: float = 0.0
    max_hz: float = 10000.0
    frames: TimeFrames | BeatFrames = field(default_factory=TimeFrames)
    curve: PowerCurve | DecibelCurve = field(default_factory=PowerCurve)

    def __post_init__(self) -> None:
        if not RATES[0] <= self.rate <= RATES[1]:
            raise ParameterError(f"rate {self.rate} Hz is outside {RATES[0]} to {RATES[1]} Hz")
        if self.n_mels < 1:
            raise ParameterError(f"{self.n_mels} mel bands: give at least 1")
        if not 0 <= self.min_hz < self.max_hz <= self.rate / 2:
            raise ParameterError(
                f"mel range {self.min_hz:g} to {self.max_hz:g} Hz: it must rise and stay "
                f"within 0 to {self.rate / 2:g} Hz"
            )

    @property
    def channels(self) -> int:
        return 2 if self.stereo else 1

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back; every part names its kind."""
        plain = asdict(self)
        plain["frames"]["kind"] = "time" if isinstance(self.frames, TimeFrames) else "beat"
        plain["curve"]["kind"] = "power" if isinstance(self.curve, PowerCurve) else "decibel"
        return plain

    @staticmethod
    def from_json(plain: Mapping[str, Any]) -> SpectrogramParams:
        """Params from `to_json`'s data; fields that an older file lacks take their defaults."""
        parts = dict(plain)
        frames = _part(parts.pop("frames", {}), {"time": TimeFrames, "beat": BeatFrames}, "frames")
        curve = _part(
            parts.pop("curve", {}), {"power": PowerCurve, "decibel": DecibelCurve}, "curve"
        )
        plain_parts = {**parts, "frames": frames, "curve": curve}
        found: SpectrogramParams = _build(SpectrogramParams, plain_parts)
        return found


RIFFUSION = SpectrogramParams()


@dataclass(frozen=True, kw_only=True)
class Spectrogram:
    """Mel magnitudes, float32 >= 0 of shape (channels, n_mels, frames), low band first.

    `tempo` is None where the length is not musical; `circular` says that the end meets the start.
    """

    magnitudes: Samples
    params: SpectrogramParams
    tempo: Tempo | None = None
    circular: bool = False

    def __post_init__(self) -> None:
        want = (self.params.channels, self.params.n_mels)
        if self.magnitudes.ndim != 3 or self.magnitudes.shape[:2] != want:
            raise ParameterError(
                f"magnitudes of shape {self.magnitudes.shape}: these params need "
                f"({want[0]}, {want[1]}, frames)"
            )

    @property
    def frames(self) -> int:
        return int(self.magnitudes.shape[2])


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A clip that repeats without a seam, and the musical length that it fills."""

    clip: Clip
    tempo: Tempo

    def __post_init__(self) -> None:
        n = self.tempo.samples(self.clip.rate)
        if self.clip.n != n:
            raise ParameterError(
                f"a clip of {self.clip.n} samples: {self.tempo.beats} beats at "
                f"{self.tempo.bpm:g} bpm are {n} samples at {self.clip.rate} Hz"
            )


@dataclass(frozen=True, kw_only=True)
class Note:
    """A note: when it sounds, its MIDI pitch 0 .. 127, and its velocity 1 .. 127."""

    start_s: float
    duration_s: float
    pitch: int
    velocity: int = 96


def _part(plain: Mapping[str, Any], kinds: Mapping[str, type[Any]], name: str) -> Any:
    """One of the grid or curve classes from its plain data."""
    values = dict(plain)
    kind = values.pop("kind", next(iter(kinds)))
    if kind not in kinds:
        raise ParameterError(f"unknown {name} kind {kind!r}: known are {', '.join(kinds)}")
    return _build(kinds[kind], values)


def _build(cls: type[Any], values: Mapping[str, Any]) -> Any:
    """`cls` from plain values, refusing names that it does not know."""
    unknown = sorted(set(values) - set(cls.__dataclass_fields__))
    if unknown:
        raise ParameterError(
            f"unknown {cls.__name__} setting {unknown[0]!r}: "
            f"known are {', '.join(cls.__dataclass_fields__)}"
        )
    return cls(**values)
