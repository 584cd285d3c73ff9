"""Where a loop's end meets its start: 20 loops at 40, 124 and 240 bpm through the picture and back.

    python bench/seam.py [--seeds 20] [--quality fast]

`jump` is |y[0] - y[N-1]| / rms(diff y). `flux` is the percentile of the spectral flux at the seam
among all frames inside. Music that starts with a hit has much flux on its first beat for a good
reason, so the flux is shown twice: as the loop stands, beside that of the loop it was drawn from,
and with the same picture turned by a 32nd note, so that the seam falls between the notes.
`linear` is the jump of the same pictures inverted without the circle.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from audio.codec import analyse, from_image, synthesise, to_image
from audio.loops import seam
from audio.synth import band
from audio.types import BeatFrames, DecibelCurve, Spectrogram, SpectrogramParams, Tempo

TEMPI = (40, 124, 240)
PARAMS = SpectrogramParams(
    n_mels=128, min_hz=20.0, max_hz=16000.0, frames=BeatFrames(per_beat=32), curve=DecibelCurve()
)
THIRTY_SECOND = 4  # columns
COLUMNS = ("jump", "linear", "flux %", "flux % drawn from", "flux % between notes")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--quality", default="fast")
    parser.add_argument("--clips", type=Path, help="taken and not used: seams are of loops")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"medians of {arguments.seeds} seeds (largest)")
    print(f"{'bpm':>5s}" + "".join(f"{name:>22s}" for name in COLUMNS))
    for bpm in TEMPI:
        rows = [_measure(bpm, seed, arguments.quality) for seed in range(arguments.seeds)]
        cells = [f"{statistics.median(c):10.2f} ({max(c):6.2f})" for c in zip(*rows, strict=True)]
        print(f"{bpm:5d}" + "".join(f"{cell:>22s}" for cell in cells), flush=True)


def _measure(bpm: int, seed: int, quality: str) -> tuple[float, ...]:
    song = replace(band.draw(np.random.default_rng(seed)), bpm=float(bpm))
    loop, tempo = band.render(song), Tempo(bpm=float(bpm), beats=8)
    drawn = to_image(analyse(loop.clip, PARAMS, tempo=tempo, circular=True))
    shown = from_image(drawn, PARAMS, tempo=tempo, circular=True)
    found = synthesise(shown, quality=quality, seed=seed)
    if found.n != tempo.samples(PARAMS.rate):
        raise AssertionError(f"{found.n} samples at {bpm} bpm")
    turned = synthesise(_turned(shown), quality=quality, seed=seed)
    line = synthesise(replace(shown, circular=False), quality=quality, seed=seed)
    return (
        seam(found).jump,
        seam(line).jump,
        seam(found).percentile,
        seam(loop.clip).percentile,
        seam(turned).percentile,
    )


def _turned(shown: Spectrogram) -> Spectrogram:
    return replace(shown, magnitudes=np.roll(shown.magnitudes, THIRTY_SECOND, axis=-1))


if __name__ == "__main__":
    main()
