"""What each part of a request does to the walk: algebra on a tiny random checkpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from sdcore import latents
from sdcore.errors import Interrupted, MachineError, RequestError, Skipped, UnknownName
from sdcore.generate import generate, walk
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.shelf import Shelf
from sdcore.painting import told
from sdcore.plan import plan
from sdcore.running import Run
from sdcore.samplers import SAMPLERS
from sdcore.types import (
    Alternative,
    Guidance,
    Hires,
    ImageRequest,
    ImageResult,
    Mask,
    Refiner,
    Soft,
    Start,
    Step,
    Variation,
    ignore,
)
from sdcore.wearing import wardrobe

REQUEST = ImageRequest(
    prompt="house", seed=0, width=64, height=32, steps=4, cfg=4.0, sampler="Euler"
)


def _picture(width: int = 64, height: int = 32, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def _box(width: int = 64, height: int = 32) -> Image.Image:
    """White in the middle."""
    mask = Image.new("L", (width, height))
    mask.paste(255, (width // 2 - 8, height // 2 - 4, width // 2 + 8, height // 2 + 4))
    return mask


def _bytes(result: ImageResult) -> list[bytes]:
    return [image.tobytes() for image in result.images]


@torch.inference_mode()
def _latents(ours: Checkpoint, request: ImageRequest, **shelf: Any) -> Tensor:
    """Of the last pass, before the autoencoder."""
    resolved, passes = plan(request, ours, shelf=Shelf(**shelf))
    run = Run(ignore, resolved, passes)
    x: Tensor | None = None
    with wardrobe(passes) as hung:
        for p in passes:
            x = walk(p, told(p, hung), resolved, before=x, run=run)
    assert x is not None
    return x


def _part(checkpoint: Checkpoint, request: ImageRequest, steps: slice, x: Tensor) -> Tensor:
    """Some steps of a run, from x."""
    from sdcore.painting import Painting

    _, (p,) = plan(request, checkpoint)
    with torch.inference_mode(), wardrobe((p,)) as hung:
        denoise = Painting(p, told(p, hung), None)
        return p.sampler(denoise, x, p.sigmas[steps], None, ignore)  # type: ignore[arg-type]


# Prompts


@pytest.mark.parametrize("sampler", ["Euler", "Heun", "DPM2", "DDIM"])
def test_an_edited_prompt_is_two_runs_one_after_the_other(
    checkpoint: Checkpoint, sampler: str
) -> None:
    request = replace(REQUEST, sampler=sampler, schedule="Karras", discard_penultimate=False)
    whole = _latents(checkpoint, replace(request, prompt="[house:saw bass:3]"))
    start = torch.randn(1, 4, 4, 8, generator=torch.Generator().manual_seed(0))
    x = _part(checkpoint, request, slice(0, 4), start * plan(request, checkpoint)[1][0].sigmas[0])
    x = _part(checkpoint, replace(request, prompt="saw bass"), slice(3, None), x)
    torch.testing.assert_close(whole, x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sampler", ["DPM++ 2M", "LMS", "UniPC"])
def test_a_multistep_sampler_carries_its_history_over_an_edit(
    checkpoint: Checkpoint, sampler: str
) -> None:
    from sdcore.painting import Painting

    request = replace(REQUEST, sampler=sampler, schedule="Karras", steps=5)
    whole = _latents(checkpoint, replace(request, prompt="[house:saw bass:2]"))
    both = []
    for prompt in ("house", "saw bass"):
        _, (p,) = plan(replace(request, prompt=prompt), checkpoint)
        with torch.inference_mode(), wardrobe((p,)) as hung:
            both.append(Painting(p, told(p, hung), None))

    def switching(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        return both[step >= 2](x, sigma, step)

    start = torch.randn(1, 4, 4, 8, generator=torch.Generator().manual_seed(0)) * p.sigmas[0]
    with torch.inference_mode():
        x = SAMPLERS[sampler](switching, start, p.sigmas, None, ignore)  # type: ignore[arg-type]
    torch.testing.assert_close(whole, x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sampler", ["Heun", "DPM2", "DPM++ SDE", "DPM++ 2S a"])
@pytest.mark.parametrize(("compat", "turns"), [("ours", "aabba"), ("a1111", "aabab")])
def test_both_halves_of_a_step_see_one_text(
    checkpoint: Checkpoint, sampler: str, compat: Any, turns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three steps of a second-order sampler evaluate two, two and one time."""
    request = replace(
        REQUEST, sampler=sampler, schedule="Karras", steps=3, cfg=1.0, discard_penultimate=False
    )
    alone = {}
    for name, prompt in (("a", "house"), ("b", "saw bass")):
        alone[name] = _seen(checkpoint, replace(request, prompt=prompt), monkeypatch)[0]
    seen = _seen(
        checkpoint, replace(request, prompt="[house|saw bass]", compat=compat), monkeypatch
    )
    names = ["a" if torch.equal(context, alone["a"]) else "b" for context in seen]
    assert "".join(names) == turns
    assert not torch.equal(alone["a"], alone["b"])


def _seen(
    checkpoint: Checkpoint, request: ImageRequest, monkeypatch: pytest.MonkeyPatch
) -> list[Tensor]:
    """What the network was given to read, evaluation by evaluation."""
    seen: list[Tensor] = []
    forward = checkpoint.unet.forward

    def recorded(*args: Any, **options: Any) -> Any:
        seen.append(options["encoder_hidden_states"][-1])
        return forward(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.unet, "forward", recorded)
        _latents(checkpoint, request)
    return seen


@pytest.mark.parametrize(
    ("prompt", "same"),
    [
        ("house AND saw bass :0", "house"),
        ("house :0.5 AND house :0.5", "house"),
        ("(house:1.0)", "house"),
        ("[house:saw bass:9]", "house"),
        ("[house:saw bass:0]", "saw bass"),
        ("[house|house]", "house"),
        ("house AND saw bass", "saw bass AND house"),
    ],
)
def test_prompts_that_mean_the_same_give_the_same(
    checkpoint: Checkpoint, prompt: str, same: str
) -> None:
    one, other = (_latents(checkpoint, replace(REQUEST, prompt=p)) for p in (prompt, same))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "prompt", ["house AND saw bass", "house BREAK saw bass", "(house:1.3)", "[house|saw bass]"]
)
def test_the_signs_of_the_prompt_language_matter(checkpoint: Checkpoint, prompt: str) -> None:
    plain = _latents(checkpoint, replace(REQUEST, prompt="house saw bass"))
    assert not torch.allclose(_latents(checkpoint, replace(REQUEST, prompt=prompt)), plain)


def test_a_prompt_s_slip_is_told_with_its_place(checkpoint: Checkpoint) -> None:
    result = generate(checkpoint, replace(REQUEST, prompt="drums (house"))
    assert any(note.startswith("prompt, character 7:") for note in result.notes)


# Numbers


@pytest.mark.parametrize(
    "changes",
    [
        {"noise": "NV"},
        {"sampler": "Euler a", "eta_noise_delta": 31337},
        {"emphasis": "No norm", "prompt": "house (saw:1.5)"},
        {"clip_skip": 2},
        {"guidance": Guidance(rescale=0.7)},
        {"guidance": Guidance(interval=(0.25, 0.75))},
        {"guidance": Guidance(ngms=5.0)},
        {"sampler_options": {"s_churn": 4.0}},
        {"discard_penultimate": True},
        {"variation": Variation(seed=5, strength=0.4)},
        {"variation": Variation(resize_from=(32, 32))},
    ],
)
def test_each_number_matters(checkpoint: Checkpoint, changes: dict[str, Any]) -> None:
    before = {"sampler": "Euler a"} if "eta_noise_delta" in changes else {}
    plain = replace(REQUEST, **before)
    assert not torch.equal(
        _latents(checkpoint, replace(REQUEST, **changes)), _latents(checkpoint, plain)
    )


def test_a_variation_of_no_strength_is_the_seed_s_own_picture(checkpoint: Checkpoint) -> None:
    varied = replace(REQUEST, variation=Variation(seed=5, strength=0.0))
    assert torch.equal(_latents(checkpoint, varied), _latents(checkpoint, REQUEST))


def test_the_images_of_a_varied_batch_are_its_singles(checkpoint: Checkpoint) -> None:
    request = replace(REQUEST, batch=3, variation=Variation(seed=5, strength=0.3))
    many = generate(checkpoint, request)
    assert many.seeds == (0, 0, 0) and len(set(_bytes(many))) == 3
    for i in range(3):
        assert _bytes(generate(checkpoint, many.request.single(i))) == _bytes(many)[i : i + 1]


# Pictures


def test_of_strength_0_the_picture_comes_back(checkpoint: Checkpoint) -> None:
    """Through the autoencoder, which alone is between."""
    request = replace(REQUEST, start=Start(image=_picture(), strength=0.0))
    expected = latents.decode(checkpoint, latents.encode(checkpoint, [_picture()]))[0]
    assert _bytes(generate(checkpoint, request)) == [expected.tobytes()]


@pytest.mark.parametrize(
    ("strength", "exact", "evaluations"),
    [(0.75, False, 16), (0.5, False, 11), (1.0, False, 20), (0.5, True, 20), (0.01, False, 1)],
)
def test_a_run_from_a_picture_has_the_steps_of_the_reference(
    checkpoint: Checkpoint, strength: float, exact: bool, evaluations: int
) -> None:
    steps: list[Step] = []
    start = Start(image=_picture(), strength=strength, exact_steps=exact)
    generate(checkpoint, replace(REQUEST, steps=20, start=start, cfg=1.0), on_step=steps.append)
    assert len(steps) == evaluations


@pytest.mark.parametrize(
    "changes",
    [
        {"noise_multiplier": 0.9},
        {"extra_noise": 0.1},
        {"resize": "crop and resize"},
        {"resize": "resize and fill"},
        {"resize": "just resize (latent)"},
        {"colour_correction": True},
        {"alternative": Alternative(prompt="drums")},
    ],
)
def test_each_part_of_a_start_matters(checkpoint: Checkpoint, changes: dict[str, Any]) -> None:
    start = Start(image=_picture(96, 64), strength=0.6)
    one, other = (
        generate(checkpoint, replace(REQUEST, start=s)) for s in (start, replace(start, **changes))
    )
    assert _bytes(one) != _bytes(other)
    assert other.images[0].size == (64, 32)


@pytest.mark.parametrize("only_masked", [False, True])
@pytest.mark.parametrize("content", ["original", "fill", "latent noise", "latent nothing"])
@pytest.mark.parametrize("soft", [None, Soft()])
def test_outside_of_the_mask_the_picture_stays_bit_for_bit(
    checkpoint: Checkpoint, only_masked: bool, content: Any, soft: Soft | None
) -> None:
    picture = _picture()
    mask = Mask(
        image=_box(), content=content, only_masked=only_masked, blur=(2, 2), soft=soft, padding=4
    )
    request = replace(REQUEST, start=Start(image=picture, strength=0.8), mask=mask)
    made, before = (np.asarray(p) for p in (generate(checkpoint, request).images[0], picture))
    changed = np.argwhere((made != before).any(axis=2))
    assert len(changed) > 0
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    reach = int(2.5 * 2 + 0.5)
    assert left >= 24 - reach and right < 40 + reach and top >= 12 - reach and bottom < 20 + reach


def test_an_inverted_mask_changes_the_rest(checkpoint: Checkpoint) -> None:
    mask = Mask(image=_box(), inverted=True, blur=(0, 0))
    request = replace(REQUEST, start=Start(image=_picture()), mask=mask)
    made = np.asarray(generate(checkpoint, request).images[0])
    assert np.array_equal(made[12:20, 24:40], np.asarray(_picture())[12:20, 24:40])
    assert (made[:8] != np.asarray(_picture())[:8]).any()


def test_a_blank_mask_with_only_masked_is_no_mask_and_is_told(checkpoint: Checkpoint) -> None:
    start = Start(image=_picture())
    mask = Mask(image=Image.new("L", (64, 32)), only_masked=True)
    result = generate(checkpoint, replace(REQUEST, start=start, mask=mask))
    assert _bytes(result) == _bytes(generate(checkpoint, replace(REQUEST, start=start)))
    assert any("blank" in note for note in result.notes)


def test_latent_noise_is_each_image_s_own(checkpoint: Checkpoint) -> None:
    mask = Mask(image=_box(), content="latent noise")
    start = Start(image=_picture(), strength=0.5)
    many = generate(checkpoint, replace(REQUEST, start=start, mask=mask, batch=2))
    alone = generate(checkpoint, many.request.single(1))
    assert _bytes(alone) == _bytes(many)[1:]


def test_the_noise_that_a_picture_came_from_leads_back_to_it(checkpoint: Checkpoint) -> None:
    """Where the prompt is the picture's own, whatever the seed."""
    start = Start(image=_picture(), alternative=Alternative())
    request = replace(REQUEST, start=start, cfg=1.0, steps=8)
    made = _latents(checkpoint, request)
    with torch.inference_mode():
        wanted = latents.encode(checkpoint, [_picture()])
    random = _latents(checkpoint, replace(request, start=None))
    error, without = (float((x - wanted).square().mean()) for x in (made, random))
    assert error < 0.1 * without
    assert torch.equal(made, _latents(checkpoint, replace(request, seed=9)))


def test_more_steps_than_there_are_levels_are_run_once(checkpoint: Checkpoint) -> None:
    steps: list[Step] = []
    start = Start(image=_picture(), strength=0.02, exact_steps=True)
    request = replace(REQUEST, steps=50, schedule="Simple", sampler="DPM++ 2M", start=start)
    generate(checkpoint, replace(request, cfg=1.0), on_step=steps.append)
    sigmas = [step.sigma for step in steps]
    assert 0 < len(sigmas) <= 50 and sigmas == sorted(set(sigmas), reverse=True)


# Passes


@pytest.mark.parametrize(
    ("hires", "size"),
    [
        (Hires(scale=2.0), (128, 64)),
        (Hires(scale=1.5), (96, 48)),
        (Hires(width=96), (96, 48)),
        (Hires(height=64), (128, 64)),
        (Hires(width=96, height=96), (96, 96)),
        (Hires(upscaler="Lanczos"), (128, 64)),
        (Hires(upscaler="Latent (bicubic antialiased)"), (128, 64)),
    ],
)
def test_a_second_pass_is_larger(
    checkpoint: Checkpoint, hires: Hires, size: tuple[int, int]
) -> None:
    steps: list[Step] = []
    result = generate(checkpoint, replace(REQUEST, hires=hires), on_step=steps.append)
    assert result.images[0].size == size
    assert [step.run for step in steps] == [0] * 4 + [1] * 4 and steps[0].runs == 2


def test_the_second_pass_has_its_own_settings(checkpoint: Checkpoint) -> None:
    steps: list[Step] = []
    hires = Hires(steps=7, sampler="DPM++ 2M", prompt="drums", cfg=2.0, strength=0.5)
    result = generate(checkpoint, replace(REQUEST, hires=hires), on_step=steps.append)
    assert len(steps) == 4 + 7
    for same in ({"steps": 0}, {"sampler": None}, {"prompt": None}, {"cfg": None}):
        other = generate(checkpoint, replace(REQUEST, hires=replace(hires, **same)))  # type: ignore[arg-type]
        assert _bytes(other) != _bytes(result)


def test_a_picture_that_is_there_only_has_the_second_pass(checkpoint: Checkpoint) -> None:
    steps: list[Step] = []
    hires = Hires(first=_picture(), upscaler="Lanczos", strength=0.5)
    result = generate(checkpoint, replace(REQUEST, hires=hires), on_step=steps.append)
    assert len(steps) == 4 and result.images[0].size == (128, 64)


def test_a_refiner_takes_over_where_its_share_begins(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    import copy

    other = replace(checkpoint, unet=copy.deepcopy(checkpoint.unet), name="other")
    with torch.no_grad():
        other.unet.conv_out.bias += 0.3
    request = replace(REQUEST, schedule="Uniform", steps=10)
    refined = replace(request, refiner=Refiner(checkpoint="other", switch_at=0.55))
    plain = _latents(checkpoint, request)
    same = _latents(checkpoint, refined, checkpoint=lambda name: checkpoint)
    assert torch.equal(plain, same)
    steps: list[int] = []
    forward = other.unet.forward

    def recorded(x: Tensor, t: Tensor, **options: Any) -> Any:
        steps.append(round(float(t[0])))
        return forward(x, t, **options)

    monkeypatch.setattr(other.unet, "forward", recorded)
    changed = _latents(checkpoint, refined, checkpoint=lambda name: other)
    assert steps == [444, 333, 222, 111, 0]  # of 999, 888 ... 0 those below 45 %
    assert not torch.equal(changed, plain)


def test_a_batch_that_lacks_memory_is_run_singly(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = checkpoint.unet.forward

    def lacking(x: Tensor, *args: Any, **options: Any) -> Any:
        if len(x) > 2:
            raise torch.OutOfMemoryError("too large")
        return forward(x, *args, **options)

    monkeypatch.setattr(checkpoint.unet, "forward", lacking)
    request = replace(REQUEST, batch=2)
    expected = _bytes(generate(checkpoint, request))
    monkeypatch.setattr("sdcore.generate.runs", lambda resolved, checkpoint: [resolved])
    result = generate(checkpoint, request)
    assert _bytes(result) == expected
    assert result.notes == ("memory lacked for the batch at once: its images were run singly",)


def test_an_autoencoder_that_lacks_memory_is_run_in_tiles(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    import copy

    ours = replace(checkpoint, vae=copy.deepcopy(checkpoint.vae))
    decode, tried = ours.vae.decode, []

    def lacking(z: Tensor, **options: Any) -> Any:
        tried.append(len(z))
        if not ours.vae.use_tiling:
            raise torch.OutOfMemoryError("too large")
        return decode(z, **options)

    monkeypatch.setattr(ours.vae, "decode", lacking)
    result = generate(ours, REQUEST)
    assert tried == [1, 1] and not ours.vae.use_tiling
    tiled = replace(checkpoint, vae=copy.deepcopy(checkpoint.vae))
    tiled.vae.enable_tiling()
    assert _bytes(result) == _bytes(generate(tiled, REQUEST))
    assert result.notes[0].startswith("the autoencoder lacked memory")


def test_an_autoencoder_that_overflows_is_run_in_32_bits(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    import copy

    ours = replace(checkpoint, vae=copy.deepcopy(checkpoint.vae).bfloat16())
    decode = ours.vae.decode

    def overflowing(z: Tensor, **options: Any) -> Any:
        pixels = decode(z, **options)[0]
        return (pixels * float("nan") if z.dtype == torch.bfloat16 else pixels,)

    monkeypatch.setattr(ours.vae, "decode", overflowing)
    result = generate(ours, REQUEST)
    assert result.notes == (
        "the autoencoder overflowed in torch.bfloat16: it was run again in float32",
    )
    assert ours.vae.dtype == torch.bfloat16
    monkeypatch.setattr(ours.vae, "decode", lambda z, **o: (decode(z, **o)[0] * float("nan"),))
    with pytest.raises(MachineError, match="is not a number anywhere"):
        generate(ours, REQUEST)


def test_an_interrupted_run_gives_what_there_is(checkpoint: Checkpoint) -> None:
    estimates: list[Tensor] = []

    def stop(step: Step) -> None:
        estimates.append(step.x0)
        if step.image == 1 and step.index == 1:
            raise Interrupted

    result = generate(checkpoint, replace(REQUEST, batch=3), on_step=stop)
    assert result.is_interrupted and len(result.images) == 2 and result.seeds == (0, 1)
    expected = latents.decode(checkpoint, estimates[-1])[0]
    assert result.images[1].tobytes() == expected.tobytes()


def test_a_skipped_image_is_kept_as_it_was_and_the_next_one_whole(checkpoint: Checkpoint) -> None:
    request = replace(REQUEST, batch=3, hires=Hires(scale=2, strength=0.5))
    whole = generate(checkpoint, request)
    seen: list[Step] = []

    def skip(step: Step) -> None:
        seen.append(step)
        if step.image == 1 and step.index == 1:
            raise Skipped

    result = generate(checkpoint, request, on_step=skip)
    assert not result.is_interrupted and result.seeds == (0, 1, 2)
    assert [one.tobytes() for one in result.images[::2]] == [
        one.tobytes() for one in whole.images[::2]
    ]
    expected = latents.decode(checkpoint, next(s.x0 for s in seen if s.run == 2 and s.index == 1))
    assert result.images[1].tobytes() == expected[0].tobytes()  # its second pass was not run
    assert [s.run for s in seen if s.index == 0] == [0, 1, 2, 4, 5] and seen[-1].runs == 6
    assert f"image 2 was skipped at step 2 of {seen[0].steps}" in result.notes


# Refusals


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mask": Mask(image=_box())}, "a mask without a picture: give the picture"),
        (
            {"start": Start(image=_picture()), "mask": Mask(image=_box(32, 32))},
            "a mask of 32 x 32 pixels on a picture of 64 x 32: give equal sizes",
        ),
        ({"start": Start(image=_picture(), strength=1.5)}, "a denoising strength of 1.5: give 0"),
        ({"hires": Hires(scale=9)}, "a scale of 9: give 1 to 8"),
        ({"hires": Hires(), "start": Start(image=_picture())}, "a second pass and a picture"),
        ({"variation": Variation(strength=2)}, "a variation strength of 2: give 0 to 1"),
        ({"refiner": Refiner(checkpoint="x", switch_at=2)}, "a refiner switch of 2: give 0.01"),
        ({"sampler_options": {"s_churn": -1.0}}, "a sampler's s_churn of -1: give 0 to 100"),
        ({"guidance": Guidance(rescale=2)}, "a guidance rescale of 2: give 0 to 1"),
    ],
)
def test_a_part_out_of_range_is_refused_before_work(
    checkpoint: Checkpoint, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RequestError) as refusal:
        generate(checkpoint, replace(REQUEST, **changes), on_step=_never)
    assert str(refusal.value).startswith(sentence)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prompt": "a <lora:b:1>"}, "unknown LoRA 'b'"),
        ({"refiner": Refiner(checkpoint="x")}, "unknown checkpoint 'x'"),
        ({"hires": Hires(upscaler="y")}, "unknown upscaler 'y'"),
        ({"noise": "GPU"}, "unknown noise source 'GPU'"),
    ],
)
def test_a_file_that_is_not_there_is_refused_before_work(
    checkpoint: Checkpoint, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UnknownName) as refusal:
        generate(checkpoint, replace(REQUEST, **changes), on_step=_never)
    assert str(refusal.value).startswith(sentence)


def _never(step: Step) -> None:
    raise AssertionError("nothing is run")
