"""The whole walk on a tiny random checkpoint: plumbing, not quality."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sdcore import starts
from sdcore.errors import Cancelled, MachineError
from sdcore.generate import generate
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.load import load
from sdcore.samplers import SAMPLERS
from sdcore.schedules import SCHEDULES
from sdcore.types import ImageRequest, ImageResult, Step, Window

REQUEST = ImageRequest(
    prompt="house, (saw bass:1.3)",
    negative="noise",
    seed=0,
    width=64,
    height=32,
    steps=3,
    cfg=4.0,
    tiling="x",
)


def _bytes(result: ImageResult) -> list[bytes]:
    return [image.tobytes() for image in result.images]


@pytest.mark.parametrize("vae", ["AutoencoderDC", "AutoencoderKL", "AutoencoderTiny"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_each_autoencoder_gives_pictures_that_its_request_gives_again(
    tmp_path: Path, build: Any, vae: str, dtype: torch.dtype
) -> None:
    folder = build.checkpoint(tmp_path / "tiny", vae_name=vae)
    checkpoint = load(folder, device="cpu", dtype=dtype)
    result = generate(checkpoint, replace(REQUEST, seed=-1, batch=2))
    assert [image.size for image in result.images] == [(64, 32)] * 2
    assert len(set(_bytes(result))) == 2
    again = generate(checkpoint, result.request)
    assert _bytes(again) == _bytes(result)
    assert (result.model, result.sha256) == ("tiny", checkpoint.sha256)


@pytest.mark.parametrize(
    ("sampler", "schedule"),
    [(name, "Automatic") for name in sorted(SAMPLERS)] + [("Euler", n) for n in sorted(SCHEDULES)],
)
def test_image_i_alone_is_byte_equal_to_image_i_of_many(
    checkpoint: Checkpoint, sampler: str, schedule: str
) -> None:
    request = replace(REQUEST, sampler=sampler, schedule=schedule, batch=3)
    many = generate(checkpoint, request)
    assert many.seeds == (0, 1, 2)
    for i, seed in enumerate(many.seeds):
        alone = generate(checkpoint, replace(request, seed=seed, batch=1))
        assert _bytes(alone) == _bytes(many)[i : i + 1]


def test_seed_zero_is_a_seed(checkpoint: Checkpoint) -> None:
    first, second = (generate(checkpoint, REQUEST) for _ in range(2))
    assert first.request.seed == 0 and first.seeds == (0,)
    assert _bytes(first) == _bytes(second)
    assert _bytes(first) != _bytes(generate(checkpoint, replace(REQUEST, seed=1)))


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "drums"},
        {"prompt": "house, (saw bass:1.4)"},
        {"negative": ""},
        {"cfg": 5.0},
        {"steps": 4},
        {"sampler": "Euler"},
        {"schedule": "Uniform"},
        {"tiling": "none"},
        {"tiling": "xy"},
        {"window": Window(width=32, stride=16)},
    ],
)
def test_each_field_matters(checkpoint: Checkpoint, changes: dict[str, Any]) -> None:
    changed = generate(checkpoint, replace(REQUEST, **changes))
    assert _bytes(changed) != _bytes(generate(checkpoint, REQUEST))


def test_at_cfg_one_the_negative_prompt_has_no_share(checkpoint: Checkpoint) -> None:
    one = replace(REQUEST, cfg=1.0)
    assert _bytes(generate(checkpoint, one)) == _bytes(
        generate(checkpoint, replace(one, negative="other"))
    )


def test_prompts_of_different_lengths_go_together(checkpoint: Checkpoint) -> None:
    long = ", ".join(["saw bass"] * 30)
    assert _bytes(generate(checkpoint, replace(REQUEST, prompt=long))) != _bytes(
        generate(checkpoint, REQUEST)
    )


def test_an_empty_prompt_is_a_prompt(checkpoint: Checkpoint) -> None:
    assert len(generate(checkpoint, replace(REQUEST, prompt="", negative="")).images) == 1


@pytest.mark.parametrize("edge", [(), ("conv_in",)])
def test_a_loop_joins_itself(
    checkpoint: Checkpoint, edge: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise rolled by four columns gives the picture rolled by 32 pixels, seam and all.

    Unless the UNet has an edge, by which it knows the beginning.
    """
    ours, first = replace(checkpoint, edge=edge), starts.noised
    straight = np.asarray(generate(ours, REQUEST).images[0], dtype=int)
    monkeypatch.setattr(starts, "noised", lambda *given: first(*given).roll(4, dims=-1))
    rolled = np.asarray(generate(ours, REQUEST).images[0], dtype=int)
    alike = np.abs(np.roll(straight, 32, axis=1) - rolled).max() <= 1
    assert alike == (edge == ())


def test_progress_counts_steps_and_images(checkpoint: Checkpoint) -> None:
    steps: list[Step] = []
    generate(checkpoint, replace(REQUEST, batch=2), on_step=steps.append)
    assert [(s.image, s.images, s.index, s.steps) for s in steps] == [
        (image, 2, index, 3) for image in range(2) for index in range(3)
    ]
    assert all(s.x0.shape == (1, 4, 4, 8) for s in steps)
    assert steps[0].sigma == pytest.approx(14.6146, abs=1e-3)


def test_cancelled_stops_within_a_step_and_leaves_the_checkpoint_as_it_was(
    checkpoint: Checkpoint,
) -> None:
    seen: list[int] = []

    def stop(step: Step) -> None:
        seen.append(step.index)
        if step.index == 1:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        generate(checkpoint, REQUEST, on_step=stop)
    assert seen == [0, 1]
    assert not any("forward" in vars(m) for m in checkpoint.unet.modules())
    assert not any("_conv_forward" in vars(m) for m in checkpoint.unet.modules())


def test_the_global_generator_is_left_alone(checkpoint: Checkpoint) -> None:
    before = torch.get_rng_state()
    generate(checkpoint, replace(REQUEST, sampler="Euler a"))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
)
def test_too_little_memory_is_said_in_a_sentence(checkpoint: Checkpoint, error: Exception) -> None:
    def fail(step: Step) -> None:
        raise error

    with pytest.raises(MachineError) as refusal:
        generate(checkpoint, REQUEST, on_step=fail)
    assert str(refusal.value) == (
        "out of memory at 64 x 32 pixels, 1 images: ask for smaller or fewer ones"
    )


def test_other_errors_stay_what_they_are(checkpoint: Checkpoint) -> None:
    def fail(step: Step) -> None:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        generate(checkpoint, REQUEST, on_step=fail)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_s_batch_has_the_cpu_s_noise_and_latents(folder: Path) -> None:
    """Noise bit-equal, clean estimates within 1e-3 after ten steps, image by image, all in fp32."""
    request = replace(REQUEST, steps=10, batch=3)
    last: dict[str, list[torch.Tensor]] = {"cpu": [], "cuda": []}
    for device, kept in last.items():
        checkpoint = load(folder, device=device, dtype=torch.float32)
        steps: list[Step] = []
        generate(checkpoint, request, on_step=steps.append)
        kept += [step.x0.cpu() for step in steps if step.index == request.steps - 1]
    assert len(last["cpu"]) == 3 and len(last["cuda"]) == 1
    torch.testing.assert_close(torch.cat(last["cuda"]), torch.cat(last["cpu"]), atol=1e-3, rtol=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_in_16_bits_a_gpu_s_picture_is_that_of_32() -> None:
    """PSNR >= 30 dB on the trained checkpoint."""
    folder = Path(__file__).parents[2] / "riffapp" / "checkpoints" / "loops"
    request = replace(REQUEST, prompt="house drums, saw bass", width=256, height=128, steps=10)
    pictures = [
        np.asarray(generate(load(folder, device="cuda", dtype=dtype), request).images[0], float)
        for dtype in (torch.float32, torch.bfloat16)
    ]
    error = np.mean((pictures[0] - pictures[1]) ** 2)
    assert 10 * np.log10(255**2 / error) >= 30
