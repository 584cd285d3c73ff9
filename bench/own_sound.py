"""A sound that the model has never met: a LoRA on eight loops of it, and whether it is heard.

    python bench/own_sound.py [--steps 400] [--loops 30] [--threads 1] [--keep FOLDER]

The sound is a siren: a tone that glides between two notes of the key, ring-modulated, cut by bursts
of noise; the band has none. Eight loops at eight tempi and keys are written as files, the trainer
is given the folder, and the LoRA is worn as prompts wear it. A classifier that knows nothing of the
model says whether a rendered loop is a siren: logistic regression on the mean and spread of each
mel band, taught on other sirens and on the band, raw and through autoencoder and codec. Its own
score on loops that it was not taught stands beside the figures, and so do the band's words with the
LoRA on, which should go on saying what they said.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from audio import files
from audio.synth.band import render as band_loop
from audio.types import Clip, Loop, Tempo
from riffapp.studio import checkpoints, drawing, text_to_audio
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.dataset import song_number
from riffapp.studio.judge import loop_picture
from riffapp.studio.plan import plan_loop
from riffapp.studio.prompts import SHARPS
from riffapp.studio.train_judge import reconstructed
from riffapp.studio.train_own import OwnTraining, Trained, train_own
from riffapp.studio.types import LoopRequest
from sdcore.generate import generate
from sdcore.models.lora import Lora, read_lora
from sdcore.models.shelf import Shelf

NAME = "siren"
TAUGHT, TESTED = 80, 40  # loops of each kind that teach the classifier, and that test it
TEMPI = (90, 100, 110, 120, 124, 128, 140, 150)
RATE, BARS = 44100, 2
KEYS = tuple(f"{note} {mode}" for note in SHARPS for mode in ("minor", "major"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", help="not used here")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--loops", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="work folder; a stopped training goes on")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.keep or Path(temporary) / "work"
        trained, cpu_s, wall_s = learned(Path(temporary) / NAME, work, args)
        print(f"{trained.examples} loops, {trained.path.stat().st_size / 2**20:.1f} MiB")
        print(f"trained in {cpu_s / 60:.1f} min of one core ({wall_s / 60:.1f} min by the clock)")
        for note in trained.notes:
            print(f"  note: {note}")
        lora = read_lora(trained.path)
    instrument = checkpoints.load("loops", device="cpu", threads=args.threads)
    ear, own = taught_ear(instrument)
    print(f"the classifier: {own[0]:.0%} of other sirens, {own[1]:.0%} of the band taken for one")
    for words, weight in ((NAME, 0.0), (NAME, 1.0), ("house drums, saw bass", 1.0)):
        heard = [ear.hears(loop) for loop in drawn(instrument, lora, words, weight, args.loops)]
        print(f"  '{words}' at weight {weight:g}: a siren in {np.mean(heard):.1%}", flush=True)
    return 0


def learned(folder: Path, work: Path, args: argparse.Namespace) -> tuple[Trained, float, float]:
    """The trained LoRA, and the seconds of processor and clock that it took."""
    folder.mkdir()
    keys = np.random.default_rng(7).permutation(len(KEYS))
    for seed, (bpm, key) in enumerate(zip(TEMPI, keys, strict=False)):
        loop = siren(bpm, KEYS[key], seed)
        files.write(folder / f"{NAME}_{bpm}bpm_{seed}.wav", loop.clip, tempo=loop.tempo)
    wish = OwnTraining(
        folder=folder,
        work=work,
        name=NAME,
        steps=args.steps,
        lr=args.lr,
        rank=args.rank,
        previews=0,
        device="cpu",
        threads=args.threads,
    )
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    trained = train_own(wish)
    return trained, time.process_time() - cpu_s, time.perf_counter() - wall_s


def siren(bpm: float, key: str, seed: int) -> Loop:
    """Two bars of the siren; its octave, turns, cuts and noise are the seed's."""
    rng = np.random.default_rng(seed)
    tempo = Tempo(bpm=bpm, beats=4 * BARS)
    n = tempo.samples(RATE)
    beat = np.arange(n) * tempo.beats / n
    root = 220.0 * 2 ** ((KEYS.index(key) // 2 - 9) / 12) * rng.choice([1, 2])
    turns = int(rng.choice([1, 2]))  # a beat
    hz = root * 2 ** (7 / 12 * 0.5 * (1 - np.cos(2 * np.pi * turns * beat)))
    phase = np.cumsum(hz) / RATE
    phase *= round(phase[-1]) / phase[-1]  # whole turns: it closes
    tone = np.sin(2 * np.pi * phase) * np.sin(
        2 * np.pi * 2.76 * round(phase[-1]) / phase[-1] * phase
    )
    gates = rng.random(4) < 0.75
    gates[0] = True
    sixteenth = (beat * 4).astype(int)
    swell = np.exp(-1.5 * (beat * 4 % 1)) * np.where(gates[sixteenth % 4], 1.0, 0.25)
    burst = rng.standard_normal(n) * np.exp(-14 * ((beat + 0.5) % 1)) * rng.uniform(0.2, 0.5)
    x = 0.5 * tone * swell + 0.5 * burst
    return Loop(clip=Clip(samples=(0.6 * x)[None].astype(np.float32), rate=RATE), tempo=tempo)


class Ear:
    """Says whether a loop is a siren."""

    def __init__(self, instrument: Instrument, model: Pipeline) -> None:
        self._params, self._model = instrument.sound.params, model

    def hears(self, loop: Loop) -> bool:
        return bool(self._model.predict([features(loop_picture(loop, self._params))])[0])


def features(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean and spread over time of each mel band."""
    loud = 1 - picture / 255
    return np.concatenate([loud.mean(1), loud.std(1)])


def taught_ear(instrument: Instrument) -> tuple[Ear, tuple[float, float]]:
    """A classifier, and the shares of unseen sirens and of the unseen band that it calls sirens."""
    rows: dict[str, list[NDArray[np.float64]]] = {"siren": [], "band": []}
    for i in range((TAUGHT + TESTED) // 2):
        for kind, loop in (("siren", any_siren(1000 + i)), ("band", any_band(i))):
            picture = loop_picture(loop, instrument.sound.params)
            again = reconstructed(picture, loop.tempo, instrument.checkpoint.vae)
            heard = (picture, loop_picture(again, instrument.sound.params))
            rows[kind] += [features(one) for one in heard]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(rows["siren"][:TAUGHT] + rows["band"][:TAUGHT], [True] * TAUGHT + [False] * TAUGHT)
    right, wrong = (float(model.predict(rows[kind][TAUGHT:]).mean()) for kind in rows)
    return Ear(instrument, model), (right, wrong)


def any_siren(seed: int) -> Loop:
    rng = np.random.default_rng(seed)
    return siren(float(rng.integers(60, 181)), str(rng.choice(KEYS)), seed)


def any_band(seed: int) -> Loop:
    return band_loop(song_number(seed, bars=BARS, seed=20261))


def drawn(
    instrument: Instrument, lora: Lora, words: str, weight: float, count: int
) -> Iterator[Loop]:
    """Loops of words at tempi and keys of their own, with the LoRA named in the prompt."""
    shelf = Shelf(lora=lambda name: lora)
    for seed in range(count):
        rng = np.random.default_rng((3, seed))
        request = plan_loop(
            LoopRequest(
                prompt=f"{words} <lora:{NAME}:{weight:g}>",
                bpm=float(rng.integers(60, 181)),
                key=str(rng.choice(KEYS)),
                seed=seed,
            ),
            instrument.sound,
        )
        wanted = drawing.image_request(request, instrument.sound)
        (picture,) = generate(instrument.checkpoint, wanted, shelf=shelf).images
        yield text_to_audio.render(
            picture, instrument.sound.params, drawing.tempo_of(request), quality="fast"
        )


if __name__ == "__main__":
    sys.exit(main())
