"""How long one picture takes: words, steps with guidance, decoding; by dtype, tiling and guidance.

    python bench/denoise.py [--checkpoint riffapp/checkpoints/loops] [--threads 2]

Variants run interleaved, one after the other in each round, and the median of the rounds is
reported: absolute times follow the machine's load, ratios do not. With one thread the process's
CPU time is shown, which load hardly moves, otherwise wall time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from sdcore.conditioning import Reading, encode
from sdcore.generate import generate
from sdcore.latents import decode
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.load import load
from sdcore.prompt import parse, schedule
from sdcore.types import ImageRequest

LOOPS = Path(__file__).parents[1] / "riffapp" / "checkpoints" / "loops"


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.threads == 1 else time.perf_counter
    request = ImageRequest(
        prompt="house drums, saw bass, A minor, 124 bpm",
        seed=0,
        width=arguments.width,
        height=arguments.height,
        steps=arguments.steps,
        cfg=4.0,
        tiling="x",
    )
    medians = _medians(_variants(arguments.checkpoint, request), clock, arguments.rounds)
    base = medians["bf16, tiling x, cfg 4"]
    for name, seconds in medians.items():
        print(f"{name:28s} {seconds * 1000:8.1f} ms  {seconds / base:5.2f} x")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(medians, indent=1), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=LOOPS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--width", type=int, default=256, help="pixels")
    parser.add_argument("--height", type=int, default=128, help="pixels")
    parser.add_argument("--json", help="write the medians, in seconds, to this file")
    parser.add_argument("--clips", help="not used: pictures need no recordings")
    return parser.parse_args()


def _variants(folder: Path, request: ImageRequest) -> dict[str, Callable[[], object]]:
    bf16 = load(folder, device="cpu", dtype=torch.bfloat16)
    fp32 = load(folder, device="cpu", dtype=torch.float32)
    x = torch.zeros(
        1, bf16.latent_channels, request.height // bf16.factor, request.width // bf16.factor
    )
    prompt = schedule(parse(request.prompt), steps=request.steps)
    (nothing,) = schedule(parse(""), steps=request.steps)

    def walk(checkpoint: Checkpoint, request: ImageRequest) -> Callable[[], object]:
        return lambda: generate(checkpoint, request)

    return {
        "bf16, tiling x, cfg 4": walk(bf16, request),
        "bf16, no tiling, cfg 4": walk(bf16, replace(request, tiling="none")),
        "bf16, tiling x, cfg 1": walk(bf16, replace(request, cfg=1.0)),
        "fp32, tiling x, cfg 4": walk(fp32, request),
        "of it: words": lambda: encode(bf16, prompt, nothing, reading=Reading()),
        "of it: decoding": lambda: decode(bf16, x),
    }


def _medians(
    variants: dict[str, Callable[[], object]], clock: Callable[[], float], rounds: int
) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for round_ in range(rounds + 1):
        for name, run in variants.items():
            start = clock()
            run()
            if round_ > 0:  # the first one warms up
                taken[name].append(clock() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


if __name__ == "__main__":
    main()
