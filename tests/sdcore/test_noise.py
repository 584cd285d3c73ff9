from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sdcore.noise import ImageNoise, PhiloxSource, philox, slerp
from sdcore.types import NoiseSource

CPU = torch.device("cpu")
SHAPE = (4, 8, 6)


def _noise(*seeds: int, **options: object) -> ImageNoise:
    return ImageNoise(seeds, SHAPE, device=CPU, **options)  # type: ignore[arg-type]


def _torch(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_first_noise_is_what_torch_draws_for_the_seed() -> None:
    assert torch.equal(_noise(5)()[0], _torch(5, *SHAPE))


@pytest.mark.parametrize("source", ["CPU", "NV"])
def test_image_i_of_many_has_the_noise_of_image_i_alone(source: NoiseSource) -> None:
    many, alone = _noise(1, 2, 3, source=source), _noise(2, source=source)
    for _ in range(3):
        assert torch.equal(many()[1:2], alone())
    for pair in ((14.6, 7.0), (7.0, 0.5)):
        assert torch.equal(many.between(*pair)[1:2], alone.between(*pair))


def test_seed_zero_is_a_seed() -> None:
    assert torch.equal(_noise(0)(), _noise(0)())


def test_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    noise = _noise(0, subseeds=(3,), subseed_strength=0.5)
    noise(), noise(), noise.between(2.0, 1.0)
    assert torch.equal(torch.get_rng_state(), state)


def test_noise_is_fresh_at_each_call() -> None:
    noise = _noise(0)
    assert not torch.equal(noise(), noise())


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        (["0"] * 4, ["0"] * 2, ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]),
        (["ffffffff"] * 4, ["ffffffff"] * 2, ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"]),
        (
            ["243f6a88", "85a308d3", "13198a2e", "03707344"],
            ["a4093822", "299f31d0"],
            ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"],
        ),
    ],
)
def test_philox_gives_the_published_words(
    counter: list[str], key: list[str], words: list[str]
) -> None:
    """The known answers of Random123, the authors' own library."""
    c = np.array([[int(word, 16)] for word in counter], dtype=np.uint32)
    found = philox(c, (int(key[0], 16), int(key[1], 16)))
    assert [f"{int(word):08x}" for word in found[:, 0]] == words


def test_philox_s_noise_is_normal() -> None:
    drawn = PhiloxSource(2**40 + 3).randn((100_000,))
    assert drawn.dtype == torch.float32
    assert drawn.mean().item() == pytest.approx(0, abs=0.01)
    assert drawn.std().item() == pytest.approx(1, abs=0.01)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_philox_draws_what_a_gpu_draws() -> None:
    generator = torch.Generator("cuda").manual_seed(1234)
    source = PhiloxSource(1234)
    for _ in range(2):
        theirs = torch.randn((4, 64, 64), generator=generator, device="cuda").cpu()
        torch.testing.assert_close(source.randn((4, 64, 64)), theirs, atol=1e-5, rtol=1e-5)


def test_a_variation_of_strength_0_and_1_is_one_and_the_other() -> None:
    start = _noise(1, subseeds=(9,), subseed_strength=0.0)()
    assert torch.equal(start, _noise(1)())
    start = _noise(1, subseeds=(9,), subseed_strength=1.0)()
    torch.testing.assert_close(start, _noise(9)(), atol=1e-5, rtol=1e-4)


def test_only_the_start_is_varied() -> None:
    varied, plain = _noise(1, subseeds=(9,), subseed_strength=0.5), _noise(1)
    assert not torch.equal(varied(), plain())
    assert torch.equal(varied(), plain())


def test_between_two_noises_lies_the_arc() -> None:
    """By hand for one column: sin((1 - t) w) / sin w a + sin(t w) / sin w b."""
    a, b = _torch(0, 2, 5, 3), _torch(1, 2, 5, 3)
    one, other = a[1, :, 2].double(), b[1, :, 2].double()
    w = torch.acos(one @ other / one.norm() / other.norm())
    expected = (torch.sin(0.7 * w) * one + torch.sin(0.3 * w) * other) / torch.sin(w)
    torch.testing.assert_close(slerp(a, b, 0.3)[1, :, 2].double(), expected, atol=1e-5, rtol=1e-5)


def test_parallel_noises_are_mixed_the_right_way_round() -> None:
    a = _torch(0, 2, 5, 3)
    b = a * 2
    torch.testing.assert_close(slerp(a, b, 0.25), a * 1.25)
    torch.testing.assert_close(slerp(a, b, 0.25, compat="a1111"), a * 1.75)


def test_latents_one_row_high_are_mixed_along_a_line() -> None:
    a, b = torch.tensor([[[1.0, -2.0]]]), torch.tensor([[[3.0, 1.0]]])
    torch.testing.assert_close(slerp(a, b, 0.25), torch.lerp(a, b, 0.25))


@pytest.mark.parametrize("other", [(4, 4), (12, 10), (4, 10), (8, 6)])
def test_a_resized_seed_keeps_the_middle(other: tuple[int, int]) -> None:
    start = _noise(3, resize_from=other)()[0]
    inner, outer = _torch(3, 4, *other), _torch(3, *SHAPE)
    rows, columns = min(other[0], 8), min(other[1], 6)

    def middle(x: Tensor) -> Tensor:
        top, left = (x.shape[1] - rows) // 2, (x.shape[2] - columns) // 2
        return x[:, top : top + rows, left : left + columns]

    assert torch.equal(middle(start), middle(inner))
    rim = torch.ones(SHAPE, dtype=torch.bool)
    middle(rim)[:] = False
    assert torch.equal(start[rim], outer[rim])


def test_a_delta_changes_the_noise_of_the_steps_alone() -> None:
    noise, plain = _noise(3, eta_noise_delta=100), _noise(103)
    assert torch.equal(noise(), _noise(3)())
    assert torch.equal(noise(), plain())


def test_a_path_s_increments_add_up() -> None:
    """W(c) - W(a) = W(b) - W(a) + W(c) - W(b), whatever was asked for before."""
    noise = _noise(1)
    whole = noise.between(9.0, 1.0) * 8**0.5
    parts = noise.between(9.0, 4.0) * 5**0.5 + noise.between(4.0, 1.0) * 3**0.5
    torch.testing.assert_close(whole, parts, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(_noise(1).between(4.0, 1.0), noise.between(4.0, 1.0))


@pytest.mark.parametrize("pair", [(14.6, 9.0), (0.5, 0.03), (0.031, 0.03), (4000.0, 3000.0)])
def test_a_path_s_increments_are_normal_and_independent(pair: tuple[float, float]) -> None:
    noise = ImageNoise((0,), (1, 200, 200), device=CPU)
    one, next_ = noise.between(*pair), noise.between(pair[1], pair[1] / 2)
    assert one.mean().item() == pytest.approx(0, abs=0.02)
    assert one.std().item() == pytest.approx(1, abs=0.02)
    assert (one * next_).mean().item() == pytest.approx(0, abs=0.02)
