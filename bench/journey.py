"""Timelines and journeys on the embedded model: does the sound go from A to B, without a jump?

Nine stretches from A to B are heard: how far chroma and the onsets in a bar have gone from those of
A to those of B (the projection on the line between them, features averaged over seeds), and the
rank correlation of that way with time. Jumps: the largest change from column to column where
windows and scenes meet, against the 99th percentile of changes inside A and inside B.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from audio.compiled import librosa
from riffapp.studio import checkpoints
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import Journey, LoopRequest, LoopResult, Mark, Timeline

POINTS, BARS_A_POINT, BPM = 9, 2, 120.0
PAIRS = (
    (
        "piano chords, house drums, A minor",
        "reese bass, drum and bass drums, organ chords, Eb major",
    ),
    ("warm pad chords, no drums, C major", "techno drums, acid bass, warm pad chords, F# minor"),
    ("organ chords, trap drums, G minor", "house drums, saw bass, saw chords, D major"),
)
FloatArray = NDArray[np.float64]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", help="not used here")
    parser.add_argument("--seeds", type=int, default=4)
    args = parser.parse_args()
    instrument = checkpoints.load("loops", device="cpu", threads=1)
    for a, b in PAIRS:
        print(f"{a} -> {b}")
        for kind in ("timeline", "journey", "between"):
            takes = [pieces(instrument, kind, a, b, seed) for seed in range(args.seeds)]
            chroma, onsets = correlations(takes)
            print(f"  {kind:9} rank correlation: chroma {chroma:.2f}, onsets {onsets:.2f}", end="")
            if kind != "between":
                worst, limit = jumps(takes)
                print(f"; worst change where windows meet {worst:.1f}, inside {limit:.1f}", end="")
            print(flush=True)
    return 0


def pieces(
    instrument: Instrument, kind: str, a: str, b: str, seed: int
) -> tuple[list[NDArray[np.float32]], LoopResult]:
    """The nine stretches' samples, and the piece (or last loop) that they are from."""
    wish = LoopRequest(prompt=a, bpm=BPM, bars=BARS_A_POINT, seed=seed, quality="draft")
    goal = Journey(prompt=b, seed=seed + 1000)
    if kind == "between":
        loops = []
        for k in range(POINTS):
            share = replace(goal, share=k / (POINTS - 1))
            (result,) = make_loops(instrument, replace(wish, journey=share))
            loops.append(result.loop.clip.samples[0])
        return loops, result
    bars = POINTS * BARS_A_POINT
    wish = replace(wish, bars=bars, closed=False)
    if kind == "journey":
        wish = replace(wish, journey=goal)
    else:
        mark = Mark(bar=bars - BARS_A_POINT, prompt=b)
        blend = 4.0 * (bars - 2 * BARS_A_POINT)
        wish = replace(wish, timeline=Timeline(marks=(mark,), blend_beats=blend))
    (result,) = make_loops(instrument, wish)
    return np.array_split(result.loop.clip.samples[0], POINTS), result


def correlations(
    takes: list[tuple[list[NDArray[np.float32]], LoopResult]],
) -> tuple[float, float]:
    """Rank correlations with time of the ways that chroma and onsets have gone."""
    heard = [[(_chroma(y), _onsets(y)) for y in stretches] for stretches, _ in takes]
    found = []
    for feature in range(2):
        mean = np.mean([[point[feature] for point in take] for take in heard], 0)
        line = mean[-1] - mean[0]
        way = (mean - mean[0]) @ line / (line @ line)
        found.append(float(spearmanr(range(POINTS), way)[0]))
    return found[0], found[1]


def _chroma(y: NDArray[np.float32]) -> FloatArray:
    found = librosa().feature.chroma_stft(y=y, sr=44100, n_fft=8192, hop_length=1024, norm=None)
    mean = found.mean(1)
    return np.asarray(mean / (mean.sum() + 1e-9), np.float64)


def _onsets(y: NDArray[np.float32]) -> FloatArray:
    """The mean rise at each sixteenth of a bar."""
    rise = librosa().onset.onset_strength(y=y, sr=44100, hop_length=256)
    sixteenths = np.floor(np.arange(len(rise)) * 256 / 44100 * BPM / 60 * 4 + 1e-6).astype(int) % 16
    return np.array([rise[sixteenths == k].mean() for k in range(16)])


def jumps(takes: list[tuple[list[NDArray[np.float32]], LoopResult]]) -> tuple[float, float]:
    """The worst change where windows and scenes meet, and the 99th percentile inside."""
    worst, inside = 0.0, []
    for _, result in takes:
        grey = np.asarray(result.picture, np.float64)[..., 0]
        change = np.abs(np.diff(grey, axis=1)).mean(0)
        width, part = grey.shape[1], BARS_A_POINT * 128
        inside += [change[: part - 1], change[width - part :]]
        worst = max(worst, float(change[np.arange(128, width, 128) - 1].max()))
    return worst, float(np.percentile(np.concatenate(inside), 99))


if __name__ == "__main__":
    sys.exit(main())
