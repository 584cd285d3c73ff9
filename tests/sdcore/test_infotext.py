from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from sdcore.errors import RequestError
from sdcore.infotext import read, write
from sdcore.types import ImageRequest, ImageResult, Window

REQUEST = ImageRequest(
    prompt="house drums, (saw bass:1.3)",
    negative="noise",
    seed=7,
    batch=2,
    width=256,
    height=128,
    steps=16,
    cfg=4.5,
    tiling="x",
    window=Window(width=128, stride=64),
)


def _result(request: ImageRequest = REQUEST) -> ImageResult:
    return ImageResult(
        images=(Image.new("RGB", (1, 1)),) * request.batch,
        request=request,
        seeds=tuple(range(request.seed, request.seed + request.batch)),
        model="loops",
        sha256="0123456789abcdef" * 4,
    )


def test_the_text_is_in_the_field_s_form() -> None:
    assert write(_result(), image=1, extra={"Tempo": "124 bpm", "Key": "A, minor"}) == (
        "house drums, (saw bass:1.3)\n"
        "Negative prompt: noise\n"
        "Steps: 16, Sampler: DPM++ 2M, Schedule type: Automatic, CFG scale: 4.5, Seed: 8, "
        "Size: 256x128, Model hash: 0123456789, Model: loops, RNG: CPU, Tiling: x, "
        'Window: 128x64, Tempo: 124 bpm, Key: "A, minor"'
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"negative": ""},
        {"prompt": "", "negative": ""},
        {"prompt": "two\nlines\n", "negative": " spaced \n\nlines"},
        {"prompt": "Negative prompt: not", "negative": ""},
        {"prompt": "a\nNegative prompt: not", "negative": "b\nNegative prompt: c"},
        {"prompt": "a\nSteps: 1, Sampler: x, Seed: 2", "negative": "Steps: 1, Seed: 3, Size: 1x1"},
        {"prompt": 'say "hi"\\n, né é 音'},
        {"cfg": 7.0},
        {"cfg": 1e-05},
        {"tiling": "none", "window": None},
        {"tiling": "xy"},
        {"tiling": "y"},
        {"sampler": "Euler a", "schedule": "Uniform"},
        {"seed": 0},
        {"seed": 2**63 - 9},
    ],
)
def test_what_is_written_is_read_as_it_was(changes: dict[str, Any]) -> None:
    result = _result(replace(REQUEST, **changes))
    for image, seed in enumerate(result.seeds):
        back = read(write(result, image=image, extra={"Lora hashes": 'a: "b", c'}))
        assert back.request == replace(result.request, seed=seed, batch=1)
        assert (back.model, back.model_hash) == ("loops", "0123456789")
        assert back.extra == {"Lora hashes": 'a: "b", c'}


def test_any_prompt_is_read_as_it_was() -> None:
    draw = random.Random(0)
    parts = ["Negative prompt:", "\n", ", ", ": ", '"', "\\", "Steps: 20", "Seed: 1", " ", "a", "é"]
    for _ in range(2000):
        prompt, negative = ("".join(draw.choices(parts, k=draw.randrange(12))) for _ in range(2))
        result = _result(replace(REQUEST, prompt=prompt, negative=negative, batch=1))
        assert read(write(result)).request == result.request


def test_a_text_of_another_program_is_read() -> None:
    back = read(
        "a cat, <lora:x:1>\nNegative prompt: dog\nbad\n"
        "Steps: 28, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7, Seed: 42, "
        'Size: 512x768, Model hash: abc, Model: v1-5, Tiling: True, Lora hashes: "x: 1, y: 2", '
        "Version: v1.10.1"
    )
    assert back.request == ImageRequest(
        prompt="a cat, <lora:x:1>",
        negative="dog\nbad",
        seed=42,
        width=512,
        height=768,
        steps=28,
        cfg=7.0,
        sampler="Euler a",
        schedule="Automatic",
        tiling="xy",
        noise="NV",  # a GPU's, unless the text says another
        compat="a1111",
    )
    assert back.extra == {"Lora hashes": "x: 1, y: 2", "Version": "v1.10.1"}


def test_a_text_without_values_is_a_prompt() -> None:
    assert read("only: words, here\nand: there").request == ImageRequest(
        prompt="only: words, here\nand: there"
    )


@pytest.mark.parametrize("value", ["many", "9" * 5000, "", "1.5"])
def test_a_value_that_cannot_be_meant_keeps_its_default(value: str) -> None:
    text = f"a\nSteps: {value}, Size: {value}x{value}, Seed: 3, Sampler: Euler"
    assert read(text).request == ImageRequest(prompt="a", seed=3, sampler="Euler")


@pytest.mark.parametrize("key", ["Steps", "Prompt", "", "a:b", "a,b", " a", "a\nb", '"a"'])
def test_a_key_that_could_not_be_read_again_is_refused(key: str) -> None:
    with pytest.raises(RequestError, match="cannot go into a picture's text"):
        write(_result(), extra={key: "1"})


@pytest.mark.parametrize(
    "pattern", ["a", "a,", "a:", ":", '"', 'a:"', 'a:"x,', 'a: "\\', "\n", "é "]
)
def test_hostile_text_takes_linear_time(pattern: str) -> None:
    """Eight times the text takes about eight times as long: were it squared, it would be 64."""
    small, large = (_seconds(pattern * n) for n in (4_000, 32_000))
    assert large < 30 * small + 0.05


def _seconds(text: str) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        read(text)
        best = min(best, time.process_time() - start)
    return best
