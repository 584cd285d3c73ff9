from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest
import torch

from sdcore.checks import MAX_SEED
from sdcore.errors import PromptError, RequestError, UnknownName
from sdcore.models.checkpoint import Checkpoint
from sdcore.plan import plan, runs
from sdcore.schedules import karras
from sdcore.types import ImageRequest, Window

REQUEST = ImageRequest(prompt="house", seed=3, width=64, height=32, steps=4)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"steps": 0}, "0 steps: give 1 to 1000"),
        ({"steps": 1001}, "1001 steps: give 1 to 1000"),
        ({"batch": 0}, "a batch of 0: give 1 to 1000 images"),
        ({"cfg": nan}, "a guidance scale of nan: give 0 to 100"),
        ({"cfg": inf}, "a guidance scale of inf: give 0 to 100"),
        ({"cfg": -1.0}, "a guidance scale of -1.0: give 0 to 100"),
        ({"seed": -2}, f"the seed -2: give 0 to {MAX_SEED - 1}, or -1 to draw one"),
        (
            {"seed": MAX_SEED, "batch": 2},
            f"the seed {MAX_SEED}: give 0 to {MAX_SEED - 2}, or -1 to draw one",
        ),
        ({"width": 0}, "a width of 0 pixels: give a multiple of 8 from 8 to 8192"),
        ({"width": 60}, "a width of 60 pixels: give a multiple of 8 from 8 to 8192"),
        ({"height": 8200}, "a height of 8200 pixels: give a multiple of 8 from 8 to 8192"),
        (
            {"window": Window(width=0, stride=8)},
            "a window width of 0 pixels: give a multiple of 8 from 8 up",
        ),
        (
            {"window": Window(width=64, stride=12)},
            "a window stride of 12 pixels: give a multiple of 8 from 8 up",
        ),
        (
            {"window": Window(width=64, stride=72)},
            "a window stride of 72 pixels leaves gaps: give at most the window's width, 64",
        ),
    ],
)
def test_a_number_out_of_range_is_refused(
    checkpoint: Checkpoint, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError) as refusal:
        plan(replace(REQUEST, **changes), checkpoint)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"sampler": "eular"}, "unknown sampler 'eular': nearest 'Euler'"),
        ({"schedule": "carras"}, "unknown schedule 'carras': nearest 'Karras'"),
        ({"tiling": "z"}, "unknown tiling 'z': known: none, x, xy, y"),
    ],
)
def test_an_unknown_name_is_refused(
    checkpoint: Checkpoint, changes: dict[str, Any], start: str
) -> None:
    with pytest.raises(UnknownName) as refusal:
        plan(replace(REQUEST, **changes), checkpoint)
    assert str(refusal.value).startswith(start)


@pytest.mark.parametrize("tag", ["<lora:b:1000>", "<lora:b:1:-101>", "<lora:b:0@0,1e9@0.5>"])
def test_a_lora_without_measure_is_refused(checkpoint: Checkpoint, tag: str) -> None:
    with pytest.raises(PromptError, match="the LoRA 'b' has a strength of .*: give -100 to 100"):
        plan(replace(REQUEST, prompt=f"a {tag}"), checkpoint)


@pytest.mark.parametrize("changes", [{"prompt": "a (b:1000)"}, {"negative": "((c:-50):50)"}])
def test_a_weight_without_measure_is_refused(
    checkpoint: Checkpoint, changes: dict[str, Any]
) -> None:
    with pytest.raises(PromptError, match="brackets may multiply to -100 .. 100"):
        plan(replace(REQUEST, **changes), checkpoint)


def test_the_plan_is_resolved(checkpoint: Checkpoint) -> None:
    request = replace(REQUEST, window=Window(width=32, stride=16))
    resolved, (only,) = plan(request, checkpoint)
    assert resolved == replace(request, schedule="Karras")  # DPM++ 2M's own
    assert only.shape == (4, 4, 8)
    assert only.window == Window(width=4, stride=2)
    assert torch.equal(only.sigmas, karras(checkpoint.levels, 4).float())


def test_a_seed_is_drawn_where_none_is_given(checkpoint: Checkpoint) -> None:
    drawn = {plan(replace(REQUEST, seed=-1, batch=9), checkpoint)[0].seed for _ in range(8)}
    assert len(drawn) > 1
    assert all(0 <= seed <= 2**32 - 9 for seed in drawn)


def test_on_a_cpu_images_run_one_by_one(checkpoint: Checkpoint) -> None:
    parts = list(runs(replace(REQUEST, batch=3), checkpoint))
    assert parts == [replace(REQUEST, seed=seed) for seed in (3, 4, 5)]


def test_elsewhere_they_run_together(checkpoint: Checkpoint, build: Any) -> None:
    there = replace(checkpoint, unet=build.unet().to("meta"))
    assert list(runs(replace(REQUEST, batch=3), there)) == [replace(REQUEST, batch=3)]
