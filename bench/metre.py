"""Fit the templates by which a bar is known (audio/metre.npz) to loops of the procedural band.

    python bench/metre.py [--songs 6000] [-o audio/metre.npz]

Each song is drawn anew, mostly at a random tempo of 60 to 180 bpm, and is heard as one loop, as a
repeated one, or as a recording cut anywhere. The model is a mixture of log-linear ones over all
grids and all steps that a bar may begin on; what is made likely is the true tempo, and the true
step on it. A tenth of the songs is kept out and shown at the end: the tempo, the place of the
beat and the place of the bar.
"""

from __future__ import annotations

import argparse
import io
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audio import disk, metre, tempo
from audio.loops import repeat
from audio.synth import band

KINDS = ("one loop", "repeated", "cut anywhere")
GRIDS = 9
TEMPLATES = 4
SEED = 77  # bench/analysis.py hears songs of another
LEAST_S = 16.0
SAME = 0.005


@dataclass(frozen=True)
class Sounding:
    """A song as samples, how it was cut, and when its first bar began in seconds."""

    song: band.Song
    kind: str
    samples: np.ndarray
    bar_s: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--songs", type=int, default=6000)
    parser.add_argument("-o", "--output", type=Path, default=metre.TEMPLATES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows, right, kinds = [], [], []
    for number in range(arguments.songs):
        sounding = play(number)
        found = _looked_at(sounding)
        if found is not None:
            rows.append(found[0])
            right.append(found[1])
            kinds.append(sounding.kind)
        if number % 500 == 499:
            print(f"{number + 1} songs heard", flush=True)
    x, y = torch.tensor(np.array(rows)), torch.tensor(np.array(right))
    kept = len(x) // 10
    mean, spread = x[kept:].float().mean((0, 1)), x[kept:].float().std((0, 1)) + 1e-3
    weights, bias = _fit(x[kept:], y[kept:], mean, spread)
    _show(_scores(x[:kept], mean, spread, weights, bias), y[:kept], kinds[:kept])
    out = io.BytesIO()
    stored = {"mean": mean, "spread": spread, "weights": weights, "bias": bias}
    np.savez(out, **{name: value.numpy().astype(np.float32) for name, value in stored.items()})
    disk.write_whole(arguments.output, out.getvalue())


def play(number: int) -> Sounding:
    """Song `number` of the training, which depends on its number alone."""
    rng = np.random.default_rng([SEED, number])
    song = band.draw(rng, bars=int(rng.choice([1, 2, 2, 4])))
    if rng.random() < 0.8:
        song = replace(song, bpm=round(rng.uniform(60, 180), 2))
    loop, kind = band.render(song), str(rng.choice(KINDS))
    if kind == "one loop":
        return Sounding(song, kind, loop.clip.samples[0], 0.0)
    times = max(2, math.ceil(LEAST_S / loop.clip.duration_s))
    samples = repeat(loop.clip, times + (kind != "repeated")).samples[0]
    if kind == "repeated":
        return Sounding(song, kind, samples, 0.0)
    start = int(rng.integers(loop.clip.n))
    stop = len(samples) - int(rng.integers(loop.clip.n - start))
    return Sounding(song, kind, samples[start:stop], -start / loop.clip.rate)


def _looked_at(sounding: Sounding) -> tuple[np.ndarray, np.ndarray] | None:
    """Features (grids * 16, n), and which are of the true tempo (1) and of the bar's step (2)."""
    bpm = sounding.song.bpm
    heard = metre.hear(sounding.samples)
    grids = tempo.tempi(heard)[:GRIDS]
    rows, right = [], []
    for grid in grids:
        rows.append(metre.features(grid, heard.duration_s))
        same = abs(math.log(grid.bpm / bpm)) < SAME
        step = (sounding.bar_s - grid.offset_s) / grid.step_s
        away = np.abs((np.arange(metre.STEPS) - step + 8) % metre.STEPS - 8)
        right.append(np.where(same, 1 + (away < 0.5), 0))
    if not (np.array(right) == 2).any():
        return None
    for _ in range(GRIDS - len(grids)):  # of a clip in which fewer tempi are heard
        rows.append(rows[0])
        right.append(right[0])
    return np.concatenate(rows).astype(np.float16), np.concatenate(right)


def _fit(x: Tensor, y: Tensor, mean: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    weights = (0.02 * torch.randn(x.shape[-1], TEMPLATES)).requires_grad_()
    bias = torch.zeros(TEMPLATES, requires_grad=True)
    steps = 1500
    adam = torch.optim.Adam([weights, bias], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        some = torch.randint(len(x), (128,))
        scores = _scores(x[some], mean, spread, weights, bias)
        odds = torch.log_softmax(scores, 1)
        likely = [torch.logsumexp(odds.masked_fill(y[some] < k, -1e9), 1).mean() for k in (1, 2)]
        (1e-3 * (weights**2).sum() - sum(likely)).backward()
        adam.step()
        adam.zero_grad()
        schedule.step()
    return weights.detach(), bias.detach()


def _scores(x: Tensor, mean: Tensor, spread: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    return torch.logsumexp((x.float() - mean) / spread @ weights + bias, -1)


def _show(scores: Tensor, y: Tensor, kinds: list[str]) -> None:
    """The shares of songs that were kept out whose tempo, beat and bar are right."""
    odds = torch.softmax(scores, 1).reshape(len(y), -1, metre.STEPS)
    y = y.reshape(odds.shape)
    rows = torch.arange(len(y))
    grid = odds.sum(-1).argmax(1)
    step = odds[rows, grid].argmax(1)
    found = y[rows, grid]
    beat = torch.stack([found[rows, (step + 4 * k) % metre.STEPS] for k in range(4)]) == 2
    right = (found[rows, step] > 0, beat.any(0), found[rows, step] == 2)
    print(f"{'':14}{'tempo':>8}{'beat':>8}{'bar':>8}")
    for kind in KINDS:
        of_kind = torch.tensor([k == kind for k in kinds])
        print(f"{kind:14}" + "".join(f"{100 * r[of_kind].float().mean():7.1f}%" for r in right))


if __name__ == "__main__":
    main()
