"""The procedural band: a Song is drawn or written down, and rendered to an exactly circular loop.

song = draw(np.random.default_rng(7))
loop = render(song)          # Loop: N = round(beats * 60 / bpm * rate) samples
truth(song)                  # what plays, when, in which key: ground truth for tests and training
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audio.synth import drums, harmony, patterns
from audio.synth.harmony import Key
from audio.synth.instruments import INSTRUMENTS
from audio.synth.tones import RATE, Samples, echo, low_pass, place, reverb
from audio.types import Clip, Loop, Tempo

PARTS = ("drums", "bass", "chords", "lead")
_STEPS = 16  # sixteenths in a bar of 4/4
_DRUM_GAIN = {
    "kick": 0.85,
    "snare": 0.6,
    "clap": 0.62,
    "hat": 0.42,
    "open hat": 0.42,
    "ride": 0.4,
    "shaker": 0.4,
    "cowbell": 0.3,
    "tom": 0.5,
    "rim": 0.45,
    "conga": 0.45,
    "crash": 0.4,
}
_BASS_LOW, _CHORD_LOW, _LEAD_LOW = 33, 57, 69  # MIDI: A1, A3, A4
_TONE_HZ = {"dark": 1500.0, "warm": 4500.0}
_BRIGHT = {"dark": 0.6, "warm": 0.85, "plain": 1.0, "bright": 1.7}


@dataclass(frozen=True, kw_only=True)
class Song:
    """Everything that is heard in a loop. A part that is None does not play."""

    genre: str
    bpm: float
    key: Key
    progression: tuple[int, ...]
    bars: int = 2
    kit: str | None = None
    groove: int = 0
    density: str = "plain"  # sparse, plain, busy
    fill: bool = False
    bass: str | None = None
    bass_style: str = "offbeat"
    chords: str | None = None
    chord_style: str = "held"
    seventh: bool = False
    lead: str | None = None
    lead_speed: str = "medium"
    register: str = "plain"  # low, plain, high
    tone: str = "plain"  # dark, warm, plain, bright
    space: str = "plain"  # dry, plain, roomy
    echo: bool = False
    pump: bool = False
    swing: float = 0.0
    soft: bool = False
    seed: int = 0

    @property
    def tempo(self) -> Tempo:
        return Tempo(bpm=self.bpm, beats=4 * self.bars)

    @property
    def parts(self) -> tuple[str, ...]:
        players = {"drums": self.kit, "bass": self.bass, "chords": self.chords, "lead": self.lead}
        return tuple(part for part in PARTS if players[part] is not None)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One drum stroke or note: where (in sixteenths), how long, what and how loud."""

    step: float
    sound: str
    midi: int | None = None
    length: float = 1.0
    gain: float = 1.0


def draw(rng: np.random.Generator, *, bars: int = 2) -> Song:
    """A random song: mostly typical of its genre, now and then not."""
    name = str(rng.choice(list(patterns.GENRES)))
    genre = patterns.GENRES[name]

    def often(usual: tuple[str, ...], every: tuple[str, ...], p: float = 0.5) -> str:
        return str(rng.choice(list(usual if rng.random() < p else every)))

    key = Key(root=int(rng.integers(12)), mode=str(rng.choice(["minor", "major"])))
    progressions = harmony.PROGRESSIONS[key.mode]
    playing = {
        "drums": rng.random() < 0.72,
        "bass": rng.random() < 0.68,
        "chords": rng.random() < 0.66,
        "lead": rng.random() < 0.5,
    }
    if not any(playing.values()):
        playing[str(rng.choice(PARTS))] = True
    low, high = genre.bpm
    return Song(
        genre=name,
        bpm=float(rng.integers(low, high + 1) if rng.random() < 0.6 else rng.integers(60, 181)),
        key=key,
        progression=progressions[int(rng.integers(len(progressions)))],
        bars=bars,
        kit=often((genre.kit,), drums.KITS, 0.75) if playing["drums"] else None,
        groove=int(rng.integers(len(genre.grooves))),
        density=str(rng.choice(["sparse", "plain", "plain", "plain", "busy"])),
        fill=bool(rng.random() < 0.12),
        bass=often(genre.basses, tuple(INSTRUMENTS["bass"])) if playing["bass"] else None,
        bass_style=often(genre.bass_styles, tuple(patterns.BASS_STYLES), 0.7),
        chords=often(genre.chords, tuple(INSTRUMENTS["chords"]), 0.4)
        if playing["chords"]
        else None,
        chord_style=often(genre.chord_styles, tuple(patterns.CHORD_STYLES), 0.7),
        seventh=bool(rng.random() < 0.25),
        lead=often(genre.leads, tuple(INSTRUMENTS["lead"]), 0.4) if playing["lead"] else None,
        lead_speed=str(rng.choice(["slow", "medium", "medium", "fast"])),
        register=str(rng.choice(["low", "plain", "plain", "plain", "high"])),
        tone=str(rng.choice(["dark", "warm", "plain", "plain", "plain", "plain", "bright"])),
        space=str(rng.choice(["dry", "plain", "plain", "roomy"])),
        echo=bool(playing["lead"] and rng.random() < 0.15),
        pump=bool(
            playing["drums"] and (playing["chords"] or playing["bass"]) and rng.random() < 0.15
        ),
        swing=genre.swing if rng.random() < 0.85 else (0.3 if genre.swing == 0 else 0.0),
        soft=bool(rng.random() < 0.08),
        seed=int(rng.integers(2**31)),
    )


def render(song: Song) -> Loop:
    """The loop of a song, mono, 44.1 kHz, exactly circular: every tail wraps round to the start."""
    n = song.tempo.samples(RATE)
    tracks = {part: _track(song, part, n) for part in song.parts}
    if song.pump:
        duck = _pump(song, n)
        tracks = {part: x if part == "drums" else x * duck for part, x in tracks.items()}
    mix = np.sum(list(tracks.values()), axis=0, dtype=np.float32)
    mix += _room(song, tracks, n)
    if song.tone in _TONE_HZ:
        mix = low_pass(mix, _TONE_HZ[song.tone])
    mix = np.tanh(mix * (0.2 if song.soft else 0.8))
    return Loop(clip=Clip(samples=mix[None].astype(np.float32), rate=RATE), tempo=song.tempo)


def score(song: Song, part: str) -> tuple[Hit, ...]:
    """What one part plays, in order of time, swing included."""
    hits = {"drums": _drum_score, "bass": _bass_score, "chords": _chord_score, "lead": _lead_score}[
        part
    ](song)
    return tuple(sorted((_swung(hit, song.swing) for hit in hits), key=lambda h: h.step))


def truth(song: Song) -> dict[str, object]:
    """Ground truth of a render: tempo, key, chords, players, onsets in seconds by part."""
    step_s = 15.0 / song.bpm
    return {
        "bpm": song.bpm,
        "bars": song.bars,
        "genre": song.genre,
        "key": str(song.key),
        "parts": song.parts,
        "players": {p: getattr(song, "kit" if p == "drums" else p) for p in song.parts},
        "chords": [
            [
                harmony.PITCHES[(song.key.root + p) % 12]
                for p in harmony.chord_pitches(song.key, d, seventh=song.seventh)
            ]
            for d in song.progression
        ],
        "onsets_s": {
            part: sorted({round(h.step * step_s, 6) for h in score(song, part)})
            for part in song.parts
        },
    }


def _swung(hit: Hit, swing: float) -> Hit:
    if swing == 0 or int(hit.step) % 2 == 0:
        return hit
    return Hit(
        step=hit.step + swing, sound=hit.sound, midi=hit.midi, length=hit.length, gain=hit.gain
    )


def _degree(song: Song, step: float) -> int:
    """The chord that sounds at a sixteenth: the progression is spread evenly over the loop."""
    return song.progression[int(step * len(song.progression) / (song.bars * _STEPS))]


def _drum_score(song: Song) -> list[Hit]:
    groove = patterns.GENRES[song.genre].grooves[song.groove]
    hits = []
    for sound, pattern in groove.items():
        for step in range(song.bars * _STEPS):
            sign = pattern[step % len(pattern)]
            if sign == "." or (
                song.density == "sparse"
                and (sign == "o" or sound in ("shaker", "ride", "conga", "tom"))
            ):
                continue
            if song.fill and step >= song.bars * _STEPS - 4 and sound != "kick":
                continue
            hits.append(Hit(step=step, sound=sound, gain=patterns.LEVELS[sign]))
    if song.density == "busy":
        hits += [
            Hit(step=s, sound="shaker", gain=0.8 if s % 4 == 2 else 0.5)
            for s in range(song.bars * _STEPS)
        ]
    if song.fill:
        end = song.bars * _STEPS
        hits += [
            Hit(step=end - 4 + k, sound="snare" if k % 2 else "tom", gain=0.7 + 0.1 * k)
            for k in range(4)
        ]
    return hits


def _bass_score(song: Song) -> list[Hit]:
    hits = []
    for bar in range(song.bars):
        for step, length, kind in patterns.BASS_STYLES[song.bass_style]:
            at = bar * _STEPS + step
            degree = _degree(song, at)
            offset = {
                0: song.key.degree(degree),
                1: song.key.degree(degree + 4),
                2: song.key.degree(degree) + 12,
                3: song.key.degree(degree + 2),
                4: song.key.degree(degree - 1),
            }[kind]
            octave = 12 if kind == 2 else 0
            midi = _BASS_LOW + (song.key.root + offset - _BASS_LOW) % 12 + octave
            hits.append(Hit(step=at, sound=song.bass or "", midi=midi, length=length))
            # a long note is struck again where the chord changes under it
            middle = at + 8
            if length > 12 and _degree(song, middle) != degree:
                hits[-1] = Hit(step=at, sound=song.bass or "", midi=midi, length=7.5)
                second = song.key.degree(_degree(song, middle))
                midi = _BASS_LOW + (song.key.root + second - _BASS_LOW) % 12
                hits.append(Hit(step=middle, sound=song.bass or "", midi=midi, length=7.5))
    return hits


def _chord_score(song: Song) -> list[Hit]:
    hits = []
    for bar in range(song.bars):
        for count, (step, length) in enumerate(patterns.CHORD_STYLES[song.chord_style]):
            at = bar * _STEPS + step
            halves = [(at, length)]
            if length > 12 and _degree(song, at + 8) != _degree(song, at):
                halves = [(at, 7.8), (at + 8, 7.8)]
            for start, held in halves:
                notes = harmony.voicing(
                    song.key, _degree(song, start), seventh=song.seventh, low=_CHORD_LOW
                )
                if song.chord_style == "arpeggio":
                    notes = (notes[(0, 1, 2, 1)[count % 4]] + (12 if count % 8 == 6 else 0),)
                hits += [
                    Hit(step=start, sound=song.chords or "", midi=m, length=held) for m in notes
                ]
    return hits


def _lead_score(song: Song) -> list[Hit]:
    rng = np.random.default_rng(song.seed)
    choices = patterns.LEAD_RHYTHMS[song.lead_speed]
    rhythm = choices[int(rng.integers(len(choices)))]
    steps = song.bars * _STEPS
    onsets = tuple(s for s in range(steps) if rhythm[s % len(rhythm)] == "x")
    low = _LEAD_LOW + {"low": -12, "plain": 0, "high": 12}[song.register]
    notes = harmony.melody(song.key, song.progression, rhythm=onsets, steps=steps, low=low, rng=rng)
    ends = (*onsets[1:], steps)
    return [
        Hit(step=a, sound=song.lead or "", midi=m, length=min(b - a, 6) * 0.92)
        for a, b, m in zip(onsets, ends, notes, strict=True)
    ]


_PART_GAIN = {"bass": 0.42, "chords": 0.17, "lead": 0.28}


def _track(song: Song, part: str, n: int) -> Samples:
    step = n / (song.bars * _STEPS)
    track = np.zeros(n, dtype=np.float32)
    if part == "drums":
        for hit in score(song, part):
            place(
                track,
                drums.hit(song.kit or "", hit.sound),
                round(hit.step * step),
                gain=hit.gain * _DRUM_GAIN[hit.sound],
            )
        return track
    bright = _BRIGHT[song.tone]
    notes: dict[tuple[str, int, int], Samples] = {}
    for hit in score(song, part):
        assert hit.midi is not None
        name = (hit.sound, hit.midi, round(hit.length * step))
        if name not in notes:
            notes[name] = INSTRUMENTS[part][hit.sound](hit.midi, name[2], bright)
        place(track, notes[name], round(hit.step * step), gain=_PART_GAIN[part] * hit.gain)
    if part == "lead" and song.echo:
        track = echo(track, delay=round(3 * step), feedback=0.5, wet=0.45)
    return track


def _room(song: Song, tracks: dict[str, Samples], n: int) -> Samples:
    """What the room adds to chords, lead and (less) drums; the bass stays dry."""
    wet = {"dry": 0.0, "plain": 0.06, "roomy": 0.4}[song.space]
    sends = [x if part != "drums" else 0.4 * x for part, x in tracks.items() if part != "bass"]
    if not (wet and sends):
        return np.zeros(n, dtype=np.float32)
    return reverb(np.sum(sends, axis=0, dtype=np.float32), decay_s=1.2, wet=wet)


def _pump(song: Song, n: int) -> Samples:
    """Side-chain gain: down at each beat, back within it."""
    beat = np.arange(n) * (4 * song.bars / n) % 1.0
    return np.asarray(0.15 + 0.85 * np.clip(beat / 0.7, 0, 1) ** 1.2, dtype=np.float32)


_SCORES = {
    "drums": _drum_score,
    "bass": _bass_score,
    "chords": _chord_score,
    "lead": _lead_score,
}
