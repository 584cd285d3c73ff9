"""Every family and kind walks from words to a picture: small random networks, plumbing alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from sdcore import latents
from sdcore.errors import RequestError
from sdcore.generate import generate
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.load import load
from sdcore.models.shelf import Shelf
from sdcore.types import Alternative, Guidance, ImageRequest, Mask, Refiner, Start, Window

Family = Callable[[str, str], Path]
REQUEST = ImageRequest(
    prompt="house", seed=0, width=64, height=64, steps=3, cfg=4.0, sampler="Euler"
)
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def loaded(family_folder: Family) -> Callable[[str, str], Checkpoint]:
    def get(family: str, kind: str) -> Checkpoint:
        return load(family_folder(family, kind), device="cpu", dtype=torch.float32)

    return get


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("sd1", "text"),
        ("sd2", "text"),
        ("sdxl", "text"),
        ("sdxl-refiner", "text"),
        ("sd1", "inpaint"),
        ("sd2", "inpaint"),
        ("sdxl", "inpaint"),
        ("sd1", "instruct"),
    ],
)
def test_every_family_draws_from_words_and_from_a_picture(
    loaded: Callable[[str, str], Checkpoint], family: str, kind: str
) -> None:
    checkpoint = loaded(family, kind)
    start = Start(image=PICTURE, strength=0.7)
    requests = [
        replace(REQUEST, start=start),
        replace(REQUEST, start=start, mask=Mask(image=Image.linear_gradient("L").resize((64, 64)))),
        replace(REQUEST, start=replace(start, alternative=Alternative())),
    ]
    if kind != "instruct":
        requests.append(REQUEST)
    pictures = {generate(checkpoint, request).images[0].tobytes() for request in requests}
    assert len(pictures) == len(requests)


def _shown(checkpoint: Checkpoint, request: ImageRequest, monkeypatch: Any) -> Tensor:
    """What the network sees besides the latents, in its first evaluation."""
    seen: list[Tensor] = []
    forward = checkpoint.unet.forward

    def recorded(x: Tensor, *args: Any, **options: Any) -> Any:
        seen.append(x[:, checkpoint.latent_channels :])
        return forward(x, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.unet, "forward", recorded)
        generate(checkpoint, request)
    return seen[0]


def test_an_inpainting_checkpoint_is_shown_the_mask_and_the_picture_without_it(
    loaded: Callable[[str, str], Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = loaded("sd1", "inpaint")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (32, 0, 64, 64))
    start = Start(image=PICTURE, strength=1.0)
    request = replace(REQUEST, start=start, mask=Mask(image=mask, blur=(0, 0)), cfg=1.0)
    shown = _shown(checkpoint, request, monkeypatch)
    factor = checkpoint.factor
    assert shown[0, 0, :, : 32 // factor].eq(0).all() and shown[0, 0, :, 32 // factor :].eq(1).all()
    covered = latents.pixels(checkpoint, [PICTURE])
    covered[..., 32:] = 0
    with torch.inference_mode():
        torch.testing.assert_close(shown[:, 1:], latents.encode_pixels(checkpoint, covered))
    half = replace(request, mask=replace(request.mask, conditioning_strength=0.5))  # type: ignore[type-var]
    covered[..., 32:] = latents.pixels(checkpoint, [PICTURE])[..., 32:] / 2
    with torch.inference_mode():
        expected = latents.encode_pixels(checkpoint, covered)
    torch.testing.assert_close(_shown(checkpoint, half, monkeypatch)[:, 1:], expected)


def test_without_a_picture_an_inpainting_checkpoint_is_shown_grey_under_a_full_mask(
    loaded: Callable[[str, str], Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = loaded("sd1", "inpaint")
    shown = _shown(checkpoint, REQUEST, monkeypatch)
    assert shown[:, 0].eq(1).all()
    grey = torch.zeros(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(shown[:1, 1:], latents.encode_pixels(checkpoint, grey))


def test_a_checkpoint_that_edits_needs_a_picture_and_minds_its_scale(
    loaded: Callable[[str, str], Checkpoint],
) -> None:
    checkpoint = loaded("sd1", "instruct")
    with pytest.raises(RequestError, match="edits pictures: give one to begin from"):
        generate(checkpoint, REQUEST)
    request = replace(REQUEST, start=Start(image=PICTURE))
    weak, strong = (
        generate(checkpoint, replace(request, guidance=Guidance(image_cfg=scale))).images[0]
        for scale in (1.0, 2.5)
    )
    assert weak.tobytes() != strong.tobytes()


def test_the_refiner_goes_on_with_the_base_s_latents(
    loaded: Callable[[str, str], Checkpoint],
) -> None:
    base, refiner = loaded("sdxl", "text"), loaded("sdxl-refiner", "text")
    request = replace(REQUEST, refiner=Refiner(checkpoint="r", switch_at=0.5))
    refined = generate(base, request, shelf=Shelf(checkpoint=lambda name: refiner))
    assert refined.images[0].tobytes() != generate(base, REQUEST).images[0].tobytes()
    with pytest.raises(RequestError, match="cannot go on with the latents"):
        generate(base, request, shelf=Shelf(checkpoint=lambda name: loaded("sd1", "text")))


def test_a_window_is_refused_where_the_whole_picture_is_seen(
    loaded: Callable[[str, str], Checkpoint],
) -> None:
    with pytest.raises(RequestError, match="give no window"):
        generate(loaded("sd1", "inpaint"), replace(REQUEST, window=Window(width=32, stride=16)))
