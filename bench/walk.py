"""The walk against diffusers' StableDiffusionPipeline: same network, steps, dtype and guidance.

    python bench/walk.py [--pairs 9] [--threads 2] [--steps 16]

Pairs run interleaved, the order turned round at each; the median of the pairs' ratios is what
counts, for absolute times follow the machine's load. Prompts are encoded anew at each run, as the
pipeline does it; what remembering them saves is shown apart. The preset has guidance on the middle
40 % of the steps alone (Kynkaanniemi et al. 2024, arXiv:2404.07724).
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

from sdcore.generate import generate
from sdcore.latents import decode
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.load import load
from sdcore.types import Guidance, ImageRequest

LOOPS = Path(__file__).parents[1] / "riffapp" / "checkpoints" / "loops"
PRESET = Guidance(interval=(0.2, 0.6))


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    checkpoint = load(arguments.checkpoint, device="cpu")
    request = ImageRequest(
        prompt="house drums, saw bass, A minor, 124 bpm",
        seed=0,
        width=arguments.width,
        height=arguments.height,
        steps=arguments.steps,
        cfg=4.0,
    )
    ours = _ours(checkpoint, request)
    theirs = _theirs(checkpoint, request)
    remembered = _ours(checkpoint, request, remembers=True)
    preset = _ours(checkpoint, replace(request, guidance=PRESET))
    print(f"{arguments.pairs} pairs, {checkpoint.dtype}, {torch.get_num_threads()} threads")
    pairs = arguments.pairs
    print(f"equal work        {_ratio(theirs, ours, pairs):.3f} x as fast as the pipeline")
    print(f"prompts known     {_ratio(ours, remembered, pairs):.3f} x as fast as without")
    print(f"preset, cfg 40 %  {_ratio(ours, preset, pairs):.3f} x as fast as without")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=LOOPS)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--width", type=int, default=256, help="pixels")
    parser.add_argument("--height", type=int, default=128, help="pixels")
    parser.add_argument("--clips", help="not used: pictures need no recordings")
    return parser.parse_args()


def _ours(
    checkpoint: Checkpoint, request: ImageRequest, *, remembers: bool = False
) -> Callable[[], object]:
    def run() -> object:
        if not remembers:
            checkpoint.contexts.clear()
        return generate(checkpoint, request)

    return run


def _theirs(checkpoint: Checkpoint, request: ImageRequest) -> Callable[[], object]:
    (tower,) = checkpoint.towers
    scheduler = DPMSolverMultistepScheduler(
        trained_betas=_betas(checkpoint).tolist(),
        prediction_type=checkpoint.prediction,
        use_karras_sigmas=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = StableDiffusionPipeline(
            vae=None,  # it does not know every kind; the latents are decoded alike
            text_encoder=copy.deepcopy(tower.encoder).to(checkpoint.dtype),  # one for all
            tokenizer=tower.tokenizer,
            unet=checkpoint.unet,
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.set_progress_bar_config(disable=True)

    def run() -> object:
        x = pipeline(
            request.prompt,
            width=request.width,
            height=request.height,
            num_inference_steps=request.steps,
            guidance_scale=request.cfg,
            generator=torch.Generator().manual_seed(0),
            output_type="latent",
        ).images
        return decode(checkpoint, x.float())

    return run


def _betas(checkpoint: Checkpoint) -> torch.Tensor:
    bars = 1 / (1 + checkpoint.levels.sigmas**2)
    return 1 - bars / torch.cat([torch.ones(1, dtype=bars.dtype), bars[:-1]])


def _ratio(reference: Callable[[], object], candidate: Callable[[], object], pairs: int) -> float:
    """The median over pairs of how many times as fast the candidate is."""
    ratios = []
    for number in range(pairs + 1):
        order = (reference, candidate) if number % 2 else (candidate, reference)
        taken = {}
        for run in order:
            start = time.perf_counter()
            run()
            taken[run] = time.perf_counter() - start
        if number > 0:  # the first pair warms up
            ratios.append(taken[reference] / taken[candidate])
    return statistics.median(ratios)


if __name__ == "__main__":
    main()
