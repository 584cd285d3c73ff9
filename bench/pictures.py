"""Riffusion's pictures to sound and back, and real recordings re-imagined by nothing.

For each PNG in --clips: its sound at `best`, drawn again with its own parameters, against itself,
in grey levels. For each recording there: sound to sound at strength 0 against the codec's own round
trip, and at strength 0.5 its length and tempo.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from audio import codec, pictures
from audio.errors import AudioError
from audio.tempo import estimate_tempo
from audio.types import RIFFUSION, Clip, PowerCurve, SpectrogramParams
from riffapp.studio import checkpoints
from riffapp.studio.canvas import Canvas, open_canvas
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.remake import reimagine
from riffapp.studio.types import LoopRequest

WISH = LoopRequest(prompt="house drums, piano chords", seed=1, quality="best")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, help="a folder of Riffusion's PNGs and recordings")
    args = parser.parse_args()
    if args.clips is None:
        print("give --clips FOLDER: this bench is about real pictures and recordings")
        return 0
    for path in sorted(args.clips.glob("*.png")):
        if "mask" not in path.name:
            print(f"{path.name}: mean error {_there_and_back(path):.2f} grey levels", flush=True)
    instrument = checkpoints.load("loops", device="cpu")
    for path in sorted(args.clips.glob("*.wav")):
        print(f"{path.name}: {_remade(instrument, path)}", flush=True)
    return 0


def _there_and_back(path: Path) -> float:
    picture = pictures.read(path)
    params = picture.params or RIFFUSION
    shown = codec.from_image(picture.image, params)
    clip = codec.synthesise(shown, quality="best")
    assert isinstance(shown.params.curve, PowerCurve)
    again = codec.analyse(clip, shown.params)
    # The sound may have been turned down as a whole: the pictures are compared at one level.
    was, now = (np.median(m[m > 0]) for m in (shown.magnitudes, again.magnitudes))
    levels = was / now * 10 ** (np.linspace(-2, 2, 41) / 20)
    return min(_difference(again, level, picture.image) for level in levels)


def _difference(shown: codec.Spectrogram, level: float, image: Image.Image) -> float:
    even = replace(shown, magnitudes=shown.magnitudes * np.float32(level))
    back = np.asarray(codec.to_image(even), np.float64)
    return float(np.abs(back[:, : image.width] - np.asarray(image)).mean())


def _remade(instrument: Instrument, path: Path) -> str:
    try:
        canvas = open_canvas(path, instrument.sound)
    except AudioError as error:
        return str(error)
    same = reimagine(instrument, canvas, WISH, strength=0.0)
    own = codec.synthesise(_shown(canvas), quality="best")
    trip = _convergence_db(own, canvas.padded, canvas)
    kept = replace(canvas.padded, samples=np.zeros_like(own.samples))
    kept.samples[:, canvas.lead : canvas.lead + same.clip.n] = same.clip.samples
    ours = _convergence_db(kept, canvas.padded, canvas)
    half = reimagine(instrument, canvas, WISH, strength=0.5)
    heard = estimate_tempo(half.clip)
    ratio = min((c / canvas.tempo.bpm for c in heard.choices), key=lambda r: abs(np.log(r)))
    return (
        f"strength 0: mel SC {ours:.2f} dB, the codec's own round trip {trip:.2f} dB; length "
        f"{half.clip.n - canvas.clip.n:+d} samples; tempo {canvas.tempo.bpm:.2f} bpm, after "
        f"strength 0.5 heard at {ratio:.4f} of it"
    )


def _shown(canvas: Canvas) -> codec.Spectrogram:
    return codec.from_image(
        canvas.picture, canvas.params, tempo=canvas.tempo, circular=canvas.closed
    )


def _convergence_db(found: Clip, wanted: Clip, canvas: Canvas) -> float:
    a, b = (_mel(clip, canvas.params, canvas) for clip in (found, wanted))
    return float(20 * np.log10(np.linalg.norm(a - b) / np.linalg.norm(b)))


def _mel(clip: Clip, params: SpectrogramParams, canvas: Canvas) -> np.ndarray:  # type: ignore[type-arg]
    shown = codec.analyse(clip, params, tempo=canvas.tempo, circular=canvas.closed)
    return shown.magnitudes


if __name__ == "__main__":
    sys.exit(main())
