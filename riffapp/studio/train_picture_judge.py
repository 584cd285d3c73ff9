"""Train the judge of pictures: drawn scenes, raw and through the autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from tqdm import tqdm

from riffapp.studio import scenes
from riffapp.studio.picture_judge import PictureJudge, targets
from riffapp.studio.scene_drawing import picture
from sdcore.train.autoencoder import LATENT_NOISE, roundtrip, to_tensor
from sdcore.train.run import Run, batches
from sdcore.train.task import Recipe

SEED = 7
SCENES = 6144  # drawn for the judge alone, held-out combinations among them
DECODED = 2048  # of these are seen through the autoencoder as well


def train_picture_judge(vae: Any, *, steps: int, folder: Path) -> PictureJudge:
    """A judge of scenes; resumes from `folder`, deterministic for a machine."""
    drawn = [scenes.draw(np.random.default_rng((SEED, i))) for i in range(SCENES)]
    raw = np.stack([picture(scene) for scene in tqdm(drawn, desc="scenes for the judge")])
    decoded = [
        roundtrip(vae, raw[:DECODED][k : k + 16], tiling="none")
        for k in tqdm(range(0, DECODED, 16), desc="the same, decoded", unit="batch")
    ]
    pictures = np.concatenate([raw, *decoded])
    return fit(pictures, targets([*drawn, *drawn[:DECODED]]), steps=steps, folder=folder)


def fit(
    pictures: NDArray[np.uint8], wanted: dict[str, Tensor], *, steps: int, folder: Path
) -> PictureJudge:
    """A judge of these pictures, each also mirrored, lighter or darker, and with noise."""
    torch.manual_seed(SEED)
    judge = PictureJudge()
    size = min(48, len(pictures))
    recipe = Recipe(steps=steps, batch=size, lr=2e-3, warmup=100, ema=0.99, seed=SEED)
    run = Run({"net": judge.net}, recipe, folder, torch.device("cpu"))
    rng = torch.Generator().manual_seed(SEED + run.step)
    order = iter(batches(len(pictures), size, seed=SEED, start=run.step))
    for _ in run.steps("judge"):
        index = next(order)
        x = to_tensor(pictures[index.numpy()])
        mirrored = torch.rand((), generator=rng) < 0.5
        x = x.flip(-1) if mirrored else x
        x = x + 0.04 * torch.randn((len(x), 3, 1, 1), generator=rng)
        x = x + LATENT_NOISE * torch.randn(x.shape, generator=rng)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = judge.net(x)
        run.update(_loss(scores, {k: v[index] for k, v in wanted.items()}, bool(mirrored)))
    run.use_average()
    return judge


def _loss(scores: dict[str, Tensor], wanted: dict[str, Tensor], mirrored: bool) -> Tensor:
    """Cross entropy over all heads; there is no colour where nothing stands."""
    terms = []
    for name, score in scores.items():
        target = wanted[name]
        if name == "extras":
            terms.append(binary_cross_entropy_with_logits(score.float(), target))
            continue
        if target.ndim == 2:
            target = (target.flip(1) if mirrored else target).flatten()
        known = target >= 0
        terms.append(
            cross_entropy(score.float().flatten(0, -2), target, ignore_index=-1, reduction="sum")
            / known.sum().clamp(min=1)
        )
    return torch.stack(terms).sum()
