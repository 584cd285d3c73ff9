"""Loops from words: how fast, and how well their ends meet.

    python bench/loops.py [--threads 2] [--seeds 20] [--checkpoint loops]

Speed: the qualities take turns, prompt by prompt; median wall time of a two-bar loop of about 4 s,
model loaded, 16 steps with guidance, and its ratio to the sound's length (RTF).
Seams: each seed's picture is played at three tempi; jump |y[0] - y[N-1]| / rms(diff y), the
percentile of the spectral flux at the seam among that inside the loop, and the spectral
convergence of the sound's mel spectrum to the picture's in dB. A note on the first beat is a rise
of its own, so the flux is also measured with the picture turned by a 32nd note, where the seam
falls between notes.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict

import numpy as np
from PIL import Image

from audio import codec, loops
from audio.types import Spectrogram, Tempo
from riffapp.studio import checkpoints
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import make_loops, render
from riffapp.studio.types import LoopRequest, LoopResult

PROMPTS = (
    "house drums, saw bass, A minor",
    "held pad chords, C minor",
    "trap drums, sub bass, bells melody, F minor",
    "flute melody, sustained strings chords, D major",
)
TEMPI = (40.0, 124.0, 240.0)
THIRTY_SECOND = 4  # columns


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
    rows: dict[float, list[tuple[float, ...]]] = defaultdict(list)
    for seed in range(seeds):
        request = LoopRequest(
            prompt=PROMPTS[seed % len(PROMPTS)], bpm=124, seed=seed, quality="draft"
        )
        for result in make_loops(instrument, request):
            for bpm in TEMPI:
                rows[bpm].append(_seam(result, Tempo(bpm=bpm, beats=8)))
    print(f"{'bpm':>5}{'jump':>8}{'flux %':>8}{'between notes':>15}{'mel SC':>10}   medians")
    for bpm, found in rows.items():
        jump, flux, between, sc = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{bpm:5.0f}{jump:8.2f}{flux:8.1f}{between:15.1f}{sc:7.1f} dB")


def _seam(result: LoopResult, tempo: Tempo) -> tuple[float, ...]:
    """Jump, flux percentile at the first beat, the same between notes, mel SC in dB."""
    loop = render(result.picture, result.params, tempo, quality="fast")
    wanted = codec.from_image(result.picture, result.params, tempo=tempo, circular=True)
    got = codec.analyse(loop.clip, result.params, tempo=tempo, circular=True)
    pixels = np.roll(np.asarray(result.picture), THIRTY_SECOND, axis=1)
    turned = render(Image.fromarray(pixels), result.params, tempo, quality="fast")
    seam = loops.seam(loop.clip)
    between = loops.seam(turned.clip).percentile
    return seam.jump, seam.percentile, between, convergence_db(got, wanted)


def convergence_db(got: Spectrogram, wanted: Spectrogram) -> float:
    """20 log10(|got - wanted| / |wanted|) of mel magnitudes."""
    error = np.linalg.norm(got.magnitudes - wanted.magnitudes)
    return float(20 * np.log10(error / np.linalg.norm(wanted.magnitudes)))


if __name__ == "__main__":
    main()
