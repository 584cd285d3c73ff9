"""Loops from words: how fast, and how well their ends meet.

    python bench/loops.py [--threads 2] [--seeds 20] [--checkpoint loops]

Speed: the qualities take turns, prompt by prompt; median wall time of a two-bar loop of about 4 s,
model loaded, 16 steps with guidance, and its ratio to the sound's length (RTF).
Seams: each seed's picture is played at three tempi; jump |y[0] - y[N-1]| / rms(diff y), the
percentile of the spectral flux at the seam among that inside the loop, and the spectral
convergence of the sound's mel spectrum to the picture's in dB. A drum on the first beat is a rise
of its own, so loops with and without drums are told apart.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict

import numpy as np

from audio import codec, loops
from audio.types import Spectrogram, Tempo
from riffapp.studio import checkpoints
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import make_loops, render
from riffapp.studio.types import LoopRequest

PROMPTS = (
    "house drums, saw bass, A minor",
    "held pad chords, C minor",
    "trap drums, sub bass, bells melody, F minor",
    "flute melody, sustained strings chords, D major",
)
TEMPI = (40.0, 124.0, 240.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", default="loops")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--clips", help="not used here: loops are made from words")
    arguments = parser.parse_args()
    instrument = checkpoints.load(arguments.checkpoint, device="cpu", threads=arguments.threads)
    _speed(instrument, arguments.rounds)
    _seams(instrument, arguments.seeds)


def _speed(instrument: Instrument, rounds: int) -> None:
    seconds: dict[str, list[float]] = defaultdict(list)
    rtf: dict[str, list[float]] = defaultdict(list)
    for i in range(rounds + 1):
        for quality in ("draft", "fast", "best"):
            request = LoopRequest(prompt=PROMPTS[0], bpm=120, seed=i, steps=16, quality=quality)
            for result in make_loops(instrument, request):
                if i > 0:  # the first round warms up
                    seconds[quality].append(result.seconds)
                    rtf[quality].append(result.rtf)
    for quality, times in seconds.items():
        print(
            f"{quality:6} {statistics.median(times):6.2f} s for 4 s of sound, "
            f"RTF {statistics.median(rtf[quality]):.3f} (fastest {min(rtf[quality]):.3f})"
        )


def _seams(instrument: Instrument, seeds: int) -> None:
    rows: dict[tuple[float, str], list[tuple[float, float, float]]] = defaultdict(list)
    for seed in range(seeds):
        prompt = PROMPTS[seed % len(PROMPTS)]
        kind = "with drums" if "drums" in prompt else "without drums"
        request = LoopRequest(prompt=prompt, bpm=124, seed=seed, quality="draft")
        for result in make_loops(instrument, request):
            for bpm in TEMPI:
                tempo = Tempo(bpm=bpm, beats=8)
                loop = render(result.picture, result.params, tempo, quality="fast")
                wanted = codec.from_image(result.picture, result.params, tempo=tempo, circular=True)
                got = codec.analyse(loop.clip, result.params, tempo=tempo, circular=True)
                seam = loops.seam(loop.clip)
                rows[bpm, kind].append((seam.jump, seam.percentile, convergence_db(got, wanted)))
    for (bpm, kind), found in sorted(rows.items()):
        jump, percentile, sc = (statistics.median(column) for column in zip(*found, strict=True))
        print(
            f"{bpm:5.0f} bpm {kind:14} jump {jump:.2f}, seam flux at the {percentile:.0f}th "
            f"percentile of the inside, mel SC {sc:.1f} dB ({len(found)} loops)"
        )


def convergence_db(got: Spectrogram, wanted: Spectrogram) -> float:
    """20 log10(|got - wanted| / |wanted|) of mel magnitudes."""
    error = np.linalg.norm(got.magnitudes - wanted.magnitudes)
    return float(20 * np.log10(error / np.linalg.norm(wanted.magnitudes)))


if __name__ == "__main__":
    main()
