"""A voice over a bed: ducked phrase by phrase, loud as it should be, block by block, with stems.

write_blocks(track, voice_track(placed, rate=rate), rate=rate, channels=1, subtype="float")
made = voice_over(partial(read_blocks, track), phrases, bed)
write_blocks(path, (block.mix for block in made.blocks()), rate=rate, channels=bed.channels)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from audio import mix
from audio.bed import Bed, in_channels
from audio.duck import Curve, Ducking, Phrase, curve, with_room
from audio.errors import ParameterError
from audio.files import resample
from audio.mastering import Master, Power, PowerMeter, Source, mastered
from audio.mix import Loudness
from audio.types import Clip, Samples

LUFS = {1: -19.0, 2: -16.0}  # of podcasts, by channels
_SILENT_LUFS = -70.0
_CLOSE_LU = 0.5
_ROUNDS = 3
_BLOCK = 1 << 16
_SILENCE = np.zeros((1, _BLOCK), np.float32)


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How voice and bed stand to one another, and how loud both are; LU and dB.

    `margin_lu`: the voice above the bed in each phrase, within half an LU. `bed_lu`: the bed where
    nobody speaks, against the voice. `room_db`: the dip round 2 kHz in the bed while somebody
    speaks. `most_db`: no deeper is the bed ducked, however soft a phrase. `lufs` None: -16 in
    stereo, -19 in mono.
    """

    margin_lu: float = 13.0
    bed_lu: float = -4.0
    room_db: float = -4.0
    most_db: float = 36.0
    ducking: Ducking = field(default_factory=Ducking)
    lufs: float | None = None
    true_peak_db: float = -1.0

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("voice above the bed", self.margin_lu, 0.0, 40.0),
            ("bed against the voice", self.bed_lu, -40.0, 20.0),
            ("room for the voice", self.room_db, -24.0, 0.0),
            ("deepest ducking", self.most_db, 0.0, 100.0),
        ):
            if not low <= value <= high:
                raise ParameterError(f"{name} {value:g} dB: give {low:g} to {high:g}")
        mix.refuse_targets(LUFS[1] if self.lufs is None else self.lufs, self.true_peak_db)


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """Something said, of any rate and channels; it starts so many samples after the bed."""

    start: int
    clip: Clip


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """A stretch of the result: (channels, some) each, and `mix` is the sum of the stems."""

    mix: Samples
    voice: Samples
    bed: Samples


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A phrase as it turned out: how far the bed is down, and the voice above it, measured."""

    phrase: Phrase
    ducked_db: float
    margin_lu: float


@dataclass(frozen=True, kw_only=True, eq=False)
class VoiceOver:
    """A voice over a bed, ready to be written block by block, as often as wanted."""

    stems: Stems
    master: Master
    spoken: tuple[Spoken, ...]

    @property
    def loudness(self) -> Loudness:
        return self.master.loudness

    def blocks(self) -> Iterator[Block]:
        """Mix and stems from the first sample to the bed's last."""
        start = 0
        for said, played in self.stems.blocks():
            gain = self.master.at(start, said.shape[1])
            voice, bed = said * gain, played * gain
            yield Block(mix=voice + bed, voice=voice, bed=bed)
            start += said.shape[1]


def voice_track(placed: Iterable[Placed], *, rate: int) -> Iterator[Samples]:
    """The mono track of what is said, block by block; it ends with the last clip.

    Clips come in the order of their starts, and may overlap. Only those that sound at a time are
    held. Raises ParameterError for one that comes too late or starts before 0.
    """
    held, at = np.zeros(0, np.float32), 0  # what sounds from sample `at` on
    for one in placed:
        if one.start < at:
            raise ParameterError(
                f"a clip at sample {one.start} comes after one at {at}: give them in order, from 0"
            )
        yield from _cut(held, one.start - at)
        said = in_channels(resample(one.clip, rate).samples, 1)[0]
        held, at = held[one.start - at :], one.start
        longest = max(len(held), len(said))
        held = np.pad(held, (0, longest - len(held))) + np.pad(said, (0, longest - len(said)))
    yield from _cut(held, len(held))


def voice_over(
    voice: Source, phrases: Sequence[Phrase], bed: Bed, balance: Balance | None = None
) -> VoiceOver:
    """The voice over the bed, whose rate and channels the result has.

    `voice` is mono at the bed's rate, no longer than the bed; `phrases` say where it speaks.
    Each phrase is measured against the bed under it, and the bed ducked as far as that phrase
    needs. `voice` is asked for its blocks three times, where peaks are limited some times more, and
    again by what is given back.
    Raises ParameterError for no phrases, for one in which the voice is silent, for a silent bed,
    and for a voice that is longer than the bed.
    """
    balance = Balance() if balance is None else balance
    voice_lufs = _phrase_lufs(_voice_power(voice, bed), phrases) + _alike_lu(bed.channels)
    _refuse_silent(phrases, voice_lufs)
    level = 10 * np.log10(np.average(10 ** (voice_lufs / 10), weights=_lengths_s(phrases)))
    bed_gain_db = level + balance.bed_lu - mix.loudness(bed.loop.clip, circular=True).lufs
    roomy = replace(bed, loop=with_room(bed.loop, balance.room_db))
    under = np.array([roomy.lufs(p.start_s, p.end_s) for p in phrases]) + bed_gain_db
    depths_db = np.clip(under + balance.margin_lu - voice_lufs, 0.0, balance.most_db)
    for _ in range(_ROUNDS):
        drawn = curve(phrases, depths_db, rate=bed.rate, ducking=balance.ducking)
        stems = Stems(voice=voice, bed=bed, roomy=roomy, gain=_level(bed_gain_db), curve=drawn)
        master = _mastered(stems, balance)
        margins = _margins(stems, master, phrases)
        missing = np.minimum(balance.margin_lu - margins, balance.most_db - depths_db)
        if missing.max() < _CLOSE_LU:
            break
        # The limiter takes from a voice that stands out, and less from the bed beneath it.
        depths_db = depths_db + np.maximum(missing, 0.0)
    spoken = tuple(
        Spoken(phrase=phrase, ducked_db=float(depth_db), margin_lu=float(margin))
        for phrase, depth_db, margin in zip(phrases, drawn.depths_db, margins, strict=True)
    )
    return VoiceOver(stems=stems, master=master, spoken=spoken)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stems:
    """Voice and bed in balance with one another, before their common gain."""

    voice: Source
    bed: Bed
    roomy: Bed
    gain: float  # of the bed
    curve: Curve

    def blocks(self) -> Iterator[tuple[Samples, Samples]]:
        """(voice, bed), (channels, some) each, as long as the bed."""
        start = 0
        for said in itertools.chain(self.voice(), itertools.repeat(_SILENCE)):
            if start == self.bed.n:
                return
            n = min(said.shape[1], self.bed.n - start)
            yield np.repeat(said[:, :n], self.bed.channels, axis=0), self._ducked(start, n)
            start += n

    def _ducked(self, start: int, n: int) -> Samples:
        played = self.bed.block(start, n)
        gain, share = self.curve.at(start, n)
        if share.any():  # a mixture of filtered and plain sound is a shallower dip
            played += share * (self.roomy.block(start, n) - played)
        return played * (np.float32(self.gain) * gain)


def _voice_power(voice: Source, bed: Bed) -> Power:
    meter, n = PowerMeter(rate=bed.rate, channels=1), 0
    for block in voice():
        if len(block) != 1:
            raise ParameterError(f"a voice of {len(block)} channels: give a mono track")
        if not np.isfinite(block).all():
            raise ParameterError("the voice holds samples that are no numbers: make it again")
        meter.add(block)
        n += block.shape[1]
    if n > bed.n:
        raise ParameterError(
            f"a voice of {n / bed.rate:.3f} s on a bed of {bed.n / bed.rate:.3f} s: give the bed "
            "more bars"
        )
    return meter.power()


def _mastered(stems: Stems, balance: Balance) -> Master:
    channels = stems.bed.channels
    return mastered(
        lambda: (said + played for said, played in stems.blocks()),
        rate=stems.bed.rate,
        channels=channels,
        lufs=LUFS[channels] if balance.lufs is None else balance.lufs,
        true_peak_db=balance.true_peak_db,
    )


def _margins(stems: Stems, master: Master, phrases: Sequence[Phrase]) -> NDArray[np.float64]:
    """How far the voice stands above the bed in each phrase, as they go out."""
    rate, channels, start = stems.bed.rate, stems.bed.channels, 0
    voice = PowerMeter(rate=rate, channels=1)  # of channels alike
    bed = PowerMeter(rate=rate, channels=channels)
    for said, played in stems.blocks():
        gain = master.at(start, said.shape[1])
        voice.add(said[:1] * gain)
        bed.add(played * gain)
        start += len(gain)
    over = _phrase_lufs(voice.power(), phrases) - _phrase_lufs(bed.power(), phrases)
    return over + _alike_lu(channels)


def _phrase_lufs(power: Power, phrases: Sequence[Phrase]) -> NDArray[np.float64]:
    return np.array([power.lufs(p.start_s, p.end_s) for p in phrases])


def _refuse_silent(phrases: Sequence[Phrase], voice_lufs: NDArray[np.float64]) -> None:
    if not phrases:
        raise ParameterError("no phrases: say when the voice speaks")
    for phrase, lufs in zip(phrases, voice_lufs, strict=True):
        if not lufs > _SILENT_LUFS:
            raise ParameterError(
                f"the voice is silent from {phrase.start_s:.3f} s to {phrase.end_s:.3f} s, where a "
                "phrase is said to be: give the times of this voice"
            )


def _lengths_s(phrases: Sequence[Phrase]) -> list[float]:
    return [phrase.end_s - phrase.start_s for phrase in phrases]


def _cut(samples: NDArray[np.float32], n: int) -> Iterator[Samples]:
    """The first `n` samples, silence where there are no more, a block at a time."""
    for first in range(0, n, _BLOCK):
        part = samples[first : min(first + _BLOCK, n)]
        short = min(_BLOCK, n - first) - len(part)
        yield np.pad(part, (0, short))[None]


def _alike_lu(channels: int) -> float:
    """How much louder a sound is in so many channels alike: as their powers add."""
    return float(10 * np.log10(channels))


def _level(gain_db: float) -> float:
    return float(10 ** (gain_db / 20))
