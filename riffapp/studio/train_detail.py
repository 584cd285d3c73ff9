"""Train what `audio.detail` knows: coarse and fine pictures of the same loops of the band."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from audio.codec import analyse, to_image
from audio.detail import REACH, TAUGHT, Refiner, finer
from audio.synth.band import Song, render
from riffapp.errors import UsageError
from riffapp.studio.dataset import song_number
from sdcore.train.autoencoder import roundtrip
from sdcore.train.run import Run
from sdcore.train.task import Recipe

SEED = 31  # of songs that neither the loops model nor its test have
LOOPS = 1024
_COLUMNS = 64  # of a crop
_LR = 2e-3


def train_detail(
    folder: Path, target: Path, vae: Any, *, loops: int = LOOPS, steps: int = 4000, batch: int = 8
) -> None:
    """Work in `folder`, resume there, write the weights to `target` as fp16 safetensors.

    Raises UsageError for a budget that trains nothing.

    Half of the coarse pictures go through the loops model's autoencoder first, for that is how the
    model's own pictures look. The loss is the mean absolute error of loudness.
    """
    if loops < 8 or steps < 1:
        raise UsageError(f"{loops} loops, {steps} updates: give at least 8 and 1")
    coarse, fine, bpms = _pairs(folder / "pairs.npz", loops, vae)
    torch.set_flush_denormal(True)
    torch.manual_seed(SEED)
    net = Refiner()
    run = Run({"net": net}, Recipe(steps=steps, batch=batch, lr=_LR), folder, torch.device("cpu"))
    rng = np.random.default_rng(SEED + run.step)
    for _ in run.steps("detail"):
        picks, starts = rng.integers(len(fine), size=batch), rng.integers(256, size=batch)
        through = rng.integers(2, size=batch)
        near = np.arange(-REACH, _COLUMNS + REACH)
        shown = [
            coarse[v, i][:, (s + near) % 256]
            for v, i, s in zip(through, picks, starts, strict=True)
        ]
        wanted = [
            fine[i][:, (2 * s + np.arange(2 * _COLUMNS)) % 512]
            for i, s in zip(picks, starts, strict=True)
        ]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = net(_loudness(shown), torch.from_numpy(bpms[picks]))
        run.update((found.float() - _loudness(wanted)).abs().mean())
    run.use_average()
    save_file({k: v.half().contiguous() for k, v in net.state_dict().items()}, target)


def pair(song: Song) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The song's loop as a coarse and as a fine picture, grey levels (mels, frames)."""
    loop = render(song)
    shown = (
        analyse(loop.clip, params, tempo=loop.tempo, circular=True)
        for params in (TAUGHT, finer(TAUGHT))
    )
    coarse, fine = (np.asarray(to_image(s))[..., 0] for s in shown)
    return coarse, fine


def _pairs(
    path: Path, loops: int, vae: Any
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
    """Coarse pictures (2: as they are and through the autoencoder, n, mels, frames), fine, bpm."""
    if not path.exists():
        songs = [song_number(i, bars=2, seed=SEED) for i in range(loops)]
        both = [pair(song) for song in tqdm(songs, desc="loops, coarse and fine", unit="loop")]
        plain, fine = (np.stack(pictures) for pictures in zip(*both, strict=True))
        seen = [
            roundtrip(vae, plain[k : k + 8])
            for k in tqdm(range(0, loops, 8), desc="through the autoencoder")
        ]
        coarse = np.stack([plain, np.rint(np.concatenate(seen)).clip(0, 255).astype(np.uint8)])
        bpms = np.array([song.bpm for song in songs], np.float32)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name("part." + path.name)
        np.savez(temporary, coarse=coarse, fine=fine, bpms=bpms)
        temporary.replace(path)
    with np.load(path) as file:
        return file["coarse"], file["fine"], file["bpms"]


def _loudness(pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    grey = np.stack(pictures).astype(np.float32)
    return torch.from_numpy(1 - grey / 255)[:, None].flip(2)
