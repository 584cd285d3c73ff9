from __future__ import annotations

import torch

from sdcore.noise import ImageNoise

CPU = torch.device("cpu")


def test_image_i_of_many_has_the_noise_of_image_i_alone() -> None:
    many = ImageNoise((7, 8, 9), (4, 5, 6), device=CPU)
    alone = ImageNoise((8,), (4, 5, 6), device=CPU)
    for _ in range(3):  # the start, and the noise of two steps
        assert torch.equal(many()[1:2], alone())


def test_seed_zero_is_a_seed() -> None:
    first = ImageNoise((0,), (4, 5, 6), device=CPU)()
    assert torch.equal(first, ImageNoise((0,), (4, 5, 6), device=CPU)())
    expected = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(first[0], expected)


def test_each_call_draws_anew_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    noise = ImageNoise((0,), (4, 5, 6), device=CPU)
    assert not torch.equal(noise(), noise())
    assert torch.equal(torch.get_rng_state(), before)
