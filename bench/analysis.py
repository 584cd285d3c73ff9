"""What is heard of loops whose files say nothing: tempo, octave, beats, offset, key.

Sixty loops of the band at 60 to 180 bpm, repeated to 16 s and more, against what they were made of.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from audio.key import NAMES, estimate_key
from audio.loops import repeat
from audio.synth import band
from audio.synth.band import Song
from audio.tempo import estimate_tempo
from audio.types import Clip

SEED = 4004  # none that anything was trained on
LEAST_S, NEAR_S = 16.0, 0.07


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", help="not used here")
    parser.add_argument("--loops", type=int, default=60)
    args = parser.parse_args()
    rows, keys, start = [], [], time.perf_counter()
    for i in range(args.loops):
        song, clip = drawn(i)
        found = estimate_tempo(clip)
        rows.append(scored(found.bpm, found.choices, found.beats_s, found.downbeat_s, song, clip))
        if song.parts != ("drums",):
            keys.append(estimate_key(clip).name == named(song))
    f, octave, offered, down = (np.array([row[k] for row in rows], float) for k in range(4))
    offsets = np.array([row[4] for row in rows])
    offsets = offsets[np.abs(offsets) < NEAR_S]
    print(
        f"{args.loops} loops, {time.perf_counter() - start:.0f} s: beat F {f.mean():.3f}, octave "
        f"right {octave.mean():.1%}, true tempo offered {offered.mean():.1%}, bar 1 right "
        f"{down.mean():.1%}, offset median {np.median(offsets) * 1000:+.1f} ms (quartiles "
        f"{np.percentile(offsets, 25) * 1000:+.1f} {np.percentile(offsets, 75) * 1000:+.1f}), key "
        f"right {np.mean(keys):.1%} of {len(keys)}"
    )
    return 0


def drawn(i: int) -> tuple[Song, Clip]:
    """Song i at a tempo of its own, and its sound as often as makes 16 s."""
    rng = np.random.default_rng([SEED, i])
    song = replace(band.draw(rng, bars=2), bpm=float(np.round(rng.uniform(60, 180), 2)))
    clip = band.render(song).clip
    return song, repeat(clip, max(2, math.ceil(LEAST_S / clip.duration_s)))


def named(song: Song) -> str:
    """The song's key as an estimate says it."""
    return f"{NAMES[song.key.root]} {song.key.mode}"


def scored(
    bpm: float,
    choices: tuple[float, ...],
    beats_s: NDArray[np.float64],
    downbeat_s: float,
    song: Song,
    clip: Clip,
) -> tuple[float, bool, bool, bool, float]:
    """Beat F-measure, tempo right, tempo offered, bar 1 right, and the beats' signed offset."""
    beat_s = 60 / song.bpm
    true = np.arange(0, clip.duration_s - 1e-6, beat_s)
    away = beats_s[:, None] - true
    hits = int((np.abs(away).min(0) <= NEAR_S).sum())
    f = 2 * min(hits, len(beats_s)) / (len(beats_s) + len(true))
    offsets = away[np.arange(len(beats_s)), np.abs(away).argmin(1)]
    down = (downbeat_s + 2 * beat_s) % (4 * beat_s) - 2 * beat_s
    right = abs(bpm / song.bpm - 1) < 0.01
    offered = any(abs(choice / song.bpm - 1) < 0.01 for choice in choices)
    return f, right, offered, right and abs(down) < NEAR_S, float(np.median(offsets))


if __name__ == "__main__":
    sys.exit(main())
