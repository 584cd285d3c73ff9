"""Train the judge on the band: raw renders, and renders that went through autoencoder and codec."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from audio.codec import from_image, synthesise
from audio.synth.band import Song, render
from audio.types import Loop, Tempo
from riffapp.studio.dataset import LOOP_PARAMS
from riffapp.studio.judge import Judge, loop_picture, picture_input, pitch_history, targets
from sdcore.train.autoencoder import roundtrip

HEARD = 320  # loops of the set that the judge also hears through autoencoder and codec
BATCH = 32
KEYS = 3000  # loops of the set whose raw sound teaches the key


def train_judge(
    pictures: NDArray[np.uint8],
    songs: Sequence[Song],
    vae: Any,
    *,
    epochs: int,
    seed: int,
) -> Judge:
    """A judge for loops like these; deterministic for a seed on one machine."""
    torch.manual_seed(seed)
    judge = Judge(LOOP_PARAMS)
    heard = [
        reconstructed(picture, song.tempo, vae)
        for picture, song in zip(
            tqdm(pictures[:HEARD], desc="renders for the judge", unit="loop"), songs, strict=False
        )
    ]
    heard_pictures = np.stack([loop_picture(loop, LOOP_PARAMS) for loop in heard])
    # the rendered ones weigh as much as a quarter of the raw ones
    repeats = max(1, len(pictures) // (4 * HEARD))
    all_pictures = np.concatenate([pictures, *[heard_pictures] * repeats])
    all_songs = [*songs, *list(songs[:HEARD]) * repeats]
    _fit_players(judge.player, all_pictures, targets(all_songs), epochs=epochs, seed=seed)
    _fit_key(judge.key, heard, songs, seed=seed)
    judge.player.eval()
    judge.key.eval()
    return judge


def reconstructed(
    picture: NDArray[np.uint8], tempo: Tempo, vae: Any, *, quality: str = "fast"
) -> Loop:
    """The loop that is heard when a picture goes through autoencoder and codec."""
    image = Image.fromarray(roundtrip(vae, picture[None])[0]).convert("RGB")
    spectrogram = from_image(image, LOOP_PARAMS, tempo=tempo, circular=True)
    return Loop(clip=synthesise(spectrogram, quality=quality), tempo=tempo)


def _fit_players(
    net: nn.Module,
    pictures: NDArray[np.uint8],
    wanted: dict[str, Tensor],
    *,
    epochs: int,
    seed: int,
) -> None:
    batch = min(BATCH, len(pictures))
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1.5e-3, weight_decay=0.02, fused=True)
    rng = torch.Generator().manual_seed(seed)
    steps = epochs * (len(pictures) // batch)
    order = torch.cat([torch.randperm(len(pictures), generator=rng) for _ in range(epochs)])
    for step in tqdm(range(steps), desc="judge: players", unit="step"):
        _set_rate(optimiser, 1.5e-3, step, steps)
        index = order[step * batch : (step + 1) * batch]
        x = picture_input(pictures[index.numpy()])
        # a little level and noise, as loops differ in loudness and phase retrieval adds haze
        x = x + 0.03 * torch.randn((), generator=rng) + 0.02 * torch.randn(x.shape, generator=rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = net(x.clamp(0, 1))
        loss = torch.stack(
            [
                _loss(name, score.float(), wanted[name][index], wanted["drums"][index] > 0)
                for name, score in scores.items()
            ]
        ).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _loss(name: str, score: Tensor, wanted: Tensor, drums_play: Tensor) -> Tensor:
    """Cross entropy; a genre is only told by loops with drums, for it is a groove."""
    if name != "genre":
        return cross_entropy(score, wanted)
    if not bool(drums_play.any()):
        return score.sum() * 0
    return cross_entropy(score[drums_play], wanted[drums_play])


def _fit_key(
    net: nn.Module, heard: Sequence[Loop], songs: Sequence[Song], *, seed: int, epochs: int = 40
) -> None:
    """Only loops with chords teach the key: a bass line alone leaves it open."""
    rows, numbers = [], []
    wanted = targets(list(songs))["key"]
    for i, song in enumerate(tqdm(songs[:KEYS], desc="keys for the judge", unit="loop")):
        if song.chords is None:
            continue
        rows.append(pitch_history(render(song)))
        numbers.append(int(wanted[i]))
        if i < len(heard):
            rows.append(pitch_history(heard[i]))
            numbers.append(int(wanted[i]))
    x, y = torch.from_numpy(np.stack(rows)), torch.tensor(numbers)
    net.train()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.05, fused=True)
    rng = torch.Generator().manual_seed(seed)
    batch = min(64, len(x))
    steps = epochs * (len(x) // batch)
    for step in tqdm(range(steps), desc="judge: key", unit="step"):
        _set_rate(optimiser, 1e-3, step, steps)
        index = torch.randint(len(x), (batch,), generator=rng)
        noisy = x[index] + 0.02 * torch.randn(x[index].shape, generator=rng)
        loss = cross_entropy(net(noisy), y[index])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def _set_rate(optimiser: torch.optim.Optimizer, top: float, step: int, steps: int) -> None:
    for group in optimiser.param_groups:
        group["lr"] = (
            top * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / steps))
        )
