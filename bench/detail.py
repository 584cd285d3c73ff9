"""More detail: how near the sound of a finer picture comes to the loop that the picture is of.

Loops of the band that nothing was trained on: their sound from the coarse picture (128 bands, 32
frames a beat), from one twice as large by interpolation, by `audio.detail`, by that and a hires
pass of the loops model at some strengths, and from the true fine picture, which is the bound.
Distances are of magnitudes on windows of 23 ms (attacks) and 93 ms (partials), down to 64 dB below
the top.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from audio import codec, detail
from audio.synth import captions
from audio.synth.band import Song, render
from audio.types import Loop
from riffapp.studio import checkpoints
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.dataset import song_number
from sdcore.generate import generate
from sdcore.types import ImageRequest, Start, Window

SEED, STRENGTHS, WINDOWS = 4343, (0.15, 0.3), (1024, 4096)
FLOOR_DB, TOP_HZ = -64.0, 16000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", help="not used here")
    parser.add_argument("--loops", type=int, default=12)
    args = parser.parse_args()
    instrument = checkpoints.load("loops", device="cpu", threads=1)
    found: dict[str, list[list[float]]] = defaultdict(list)
    for i in range(args.loops):
        song = song_number(i, bars=2, seed=SEED)
        loop = render(song)
        for name, picture in pictures(instrument, song, loop).items():
            found[name].append(distances(picture, loop))
    print(f"{args.loops} loops; log spectral distance in dB, spectral convergence in dB")
    for name, rows in found.items():
        a, b, c, d = np.mean(rows, axis=0)
        print(f"  {name:28} attacks {a:5.2f} {b:7.2f}   partials {c:5.2f} {d:7.2f}")
    return 0


def pictures(instrument: Instrument, song: Song, loop: Loop) -> dict[str, Image.Image]:
    """Every picture of the loop, by how it was made."""
    fine = detail.finer(detail.TAUGHT)
    coarse, true = (
        codec.to_image(codec.analyse(loop.clip, params, tempo=loop.tempo, circular=True))
        for params in (detail.TAUGHT, fine)
    )
    refined = detail.refined(coarse, loop.tempo)
    found = {
        "coarse": coarse,
        "interpolated": coarse.resize(true.size, Image.Resampling.BILINEAR),
        "detail": refined,
    }
    words = captions.caption(song, np.random.default_rng(0))
    for strength in STRENGTHS:
        request = ImageRequest(
            prompt=instrument.sound.template.format(prompt=words, key="", bpm=f"{song.bpm:g}"),
            seed=1,
            width=refined.width,
            height=refined.height,
            steps=instrument.sound.steps,
            cfg=instrument.sound.cfg,
            sampler=instrument.sound.sampler,
            schedule=instrument.sound.schedule,
            tiling="x",
            window=Window(width=256, stride=128, closed=True),
            start=Start(image=refined, strength=strength),
        )
        found[f"detail, hires pass of {strength:g}"] = generate(
            instrument.checkpoint, request
        ).images[0]
    return found | {"true fine picture": true}


def distances(picture: Image.Image, loop: Loop) -> list[float]:
    """Log spectral distance and spectral convergence on both windows."""
    params = (
        detail.TAUGHT if picture.height == detail.TAUGHT.n_mels else detail.finer(detail.TAUGHT)
    )
    params = replace(params, rate=loop.clip.rate)
    shown = codec.from_image(picture, params, tempo=loop.tempo, circular=True)
    heard = codec.synthesise(shown, quality="best").samples[0]
    rows: list[float] = []
    for window in WINDOWS:
        a, b = (magnitudes(y, window) for y in (heard, loop.clip.samples[0]))
        floor = b.max() * 10 ** (FLOOR_DB / 20)
        ratio = np.maximum(a, floor) / np.maximum(b, floor)
        rows.append(float(np.abs(20 * np.log10(ratio)).mean()))
        rows.append(float(20 * np.log10(np.linalg.norm(a - b) / np.linalg.norm(b))))
    return rows


def magnitudes(y: NDArray[np.float32], window: int) -> NDArray[np.float64]:
    wrapped = np.pad(y, (0, window), mode="wrap")
    frames = np.lib.stride_tricks.sliding_window_view(wrapped, window)[:: window // 4]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(window)))
    return np.asarray(spectrum[:, : int(TOP_HZ / 44100 * window)], np.float64)


if __name__ == "__main__":
    sys.exit(main())
