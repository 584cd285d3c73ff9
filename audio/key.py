"""Key and chords of a recording.

A key is heard from which notes sound in the bass and above it: in all, in the first moment, and in
the first two seconds, where loops tend to state their tonic. So give it sound that begins on a bar:
of 147 loops of the band nine in ten are heard right so, and fewer than half when cut anywhere. How
much each step of the scale speaks for major and minor was learned from the procedural band
(`keys.npz`: one logistic model for all twelve tonics, 3,385 of its loops).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from audio.errors import ParameterError
from audio.onsets import RATE, FloatArray
from audio.semitones import HOP, LOWEST, levels_db, semitones
from audio.tempo import heard
from audio.types import Clip

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MODES = ("major", "minor")
_FLOOR_DB = -60.0
_COMPRESSION = 0.6
_BASS, _TOP = 24, 64  # semitones above LOWEST: the bass ends, melody ends
_OPENINGS_S = (0.6, 2.0)
# Steps of the scale in each chord, and how it is written.
CHORDS = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "sus4": (0, 5, 7),
    "dim": (0, 3, 6),
}
_STAY = 2.0  # how much likelier (in nats) a chord goes on than any one change


@dataclass(frozen=True, kw_only=True)
class KeyEstimate:
    """A tonic (0 = C .. 11 = B) and mode; `ranked` are all keys' names, the likeliest first."""

    tonic: int
    mode: str
    confidence: float
    ranked: tuple[str, ...]

    @property
    def name(self) -> str:
        """'A minor'."""
        return f"{NAMES[self.tonic]} {self.mode}"


@dataclass(frozen=True, kw_only=True)
class Chord:
    """A chord between two times: its root's pitch class, its kind as in CHORDS."""

    start_s: float
    end_s: float
    root: int
    kind: str

    @property
    def name(self) -> str:
        """'Am7'."""
        return NAMES[self.root] + self.kind

    @property
    def pitches(self) -> tuple[int, ...]:
        """Its notes from C4 up, MIDI."""
        return tuple(60 + self.root + step for step in CHORDS[self.kind])


def estimate_key(clip: Clip) -> KeyEstimate:
    """The key of a recording, of which at most the first ten minutes are heard.

    Raises ParameterError as `audio.tempo.heard` does, and where no notes sound.
    """
    notes = _notes(clip)
    rows = [*_chromas(notes)]
    for opening_s in _OPENINGS_S:
        rows += _chromas(notes[:, : max(2, round(opening_s * RATE / HOP))])
    shares = np.stack([3 * row / (row.sum() + 1e-6) for row in rows])
    turned = np.stack([np.roll(shares, -tonic, axis=1).ravel() for tonic in range(12)])
    weights, bias = _learned()
    scores = (turned @ weights + bias).T.ravel()
    likely = np.exp(scores - scores.max())
    likely /= likely.sum()
    order = np.argsort(-likely)
    names = tuple(f"{NAMES[k % 12]} {MODES[k // 12]}" for k in order)
    best = int(order[0])
    return KeyEstimate(
        tonic=best % 12, mode=MODES[best // 12], confidence=float(likely[best]), ranked=names
    )


def chords(clip: Clip, edges_s: FloatArray) -> tuple[Chord, ...]:
    """The chord of each stretch between edges (rising, seconds); equal neighbours are one.

    Each is the template nearest to the stretch's notes, its root favoured by the bass, smoothed by
    Viterbi's algorithm (Sheh and Ellis 2003). Stretches without notes have none.
    """
    notes = _notes(clip)
    if len(edges_s) < 2:
        return ()
    names = [(root, kind) for root in range(12) for kind in CHORDS]
    fits = []
    for start_s, end_s in zip(edges_s[:-1], edges_s[1:], strict=True):
        first, last = (round(t * RATE / HOP) for t in (start_s, end_s))
        bass, above = _chromas(notes[:, first : max(last, first + 1)])
        fits.append([_fit(bass, above, root, kind) for root, kind in names])
    best = _smoothed(np.array(fits))
    found: list[Chord] = []
    for k, choice in enumerate(best):
        root, kind = names[choice]
        start_s, end_s = float(edges_s[k]), float(edges_s[k + 1])
        if max(fits[k]) <= 0:
            continue
        before = found[-1] if found else None
        if before is not None and (before.root, before.kind, before.end_s) == (root, kind, start_s):
            start_s = found.pop().start_s
        found.append(Chord(start_s=start_s, end_s=end_s, root=root, kind=kind))
    return tuple(found)


def _notes(clip: Clip) -> FloatArray:
    """Amounts (72, frames) of the semitones that stand out from their neighbours."""
    db = np.maximum(levels_db(semitones(heard(clip))), _FLOOR_DB)
    amounts = 10 ** (db / 20) - 10 ** (_FLOOR_DB / 20)
    padded = np.pad(amounts, ((1, 1), (0, 0)))
    found: FloatArray = np.where((amounts >= padded[:-2]) & (amounts >= padded[2:]), amounts, 0.0)
    loudest = float(found.max(initial=0.0))
    if loudest == 0:
        raise ParameterError("no notes sound: a key needs some")
    return (found / loudest) ** _COMPRESSION


def _chromas(notes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How much each pitch class (12,) sounds in the bass, and above it."""
    mean = notes.mean(1)
    classes = (np.arange(len(mean)) + LOWEST) % 12
    bass = np.bincount(classes[:_BASS], mean[:_BASS], 12)
    above = np.bincount(classes[_BASS:_TOP], mean[_BASS:_TOP], 12)
    return bass.astype(np.float64), above.astype(np.float64)


def _fit(bass: FloatArray, above: FloatArray, root: int, kind: str) -> float:
    """How like a chord's notes those are that sound, 0 .. 2: cosine, and the bass's root."""
    template = np.zeros(12)
    template[[(root + step) % 12 for step in CHORDS[kind]]] = 1.0
    template /= np.linalg.norm(template)
    together = above + 0.5 * bass
    norm = float(np.linalg.norm(together))
    if norm < 1e-6:
        return 0.0
    low = float(bass[root] / (bass.sum() + 1e-9))
    return float(together @ template / norm) + 0.3 * low


def _smoothed(fits: FloatArray) -> list[int]:
    """The likeliest run of chords (Viterbi): fits (stretches, chords) are tenths of nats."""
    scores = fits * 10
    total, back = scores[0], []
    for row in scores[1:]:
        change = int(np.argmax(total))
        stays = total + _STAY >= total[change]
        back.append(np.where(stays, np.arange(len(total)), change))
        total = np.maximum(total + _STAY, total[change]) + row
    path = [int(np.argmax(total))]
    for row in reversed(back):
        path.append(int(row[path[-1]]))
    return path[::-1]


@cache
def _learned() -> tuple[FloatArray, FloatArray]:
    with np.load(Path(__file__).with_name("keys.npz"), allow_pickle=False) as file:
        weights: FloatArray = np.asarray(file["weights"], np.float64)
        bias: FloatArray = np.asarray(file["bias"], np.float64)
    return weights, bias
