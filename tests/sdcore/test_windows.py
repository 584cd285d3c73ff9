"""Windows along x: what each column comes from, at the ends and where scenes meet."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdcore.types import Denoiser, Window
from sdcore.windows import TOGETHER, places, windowed

SIGMAS = torch.tensor([0.7, 3.0])


def _randn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _wide(denoise: Denoiser, *, width: int, stride: int, closed: bool = True) -> Denoiser:
    return windowed(lambda columns: denoise, Window(width=width, stride=stride, closed=closed))


def _pointwise(x: Tensor, sigma: Tensor, step: int) -> Tensor:
    return torch.tanh(x) / sigma.view(-1, 1, 1, 1)


def _global(x: Tensor, sigma: Tensor, step: int) -> Tensor:
    return x - x.mean(dim=-1, keepdim=True)


@pytest.mark.parametrize(("width", "stride"), [(4, 4), (4, 2), (5, 3), (4, 1), (12, 5), (99, 9)])
def test_windows_of_a_pointwise_denoiser_are_the_denoiser(width: int, stride: int) -> None:
    x = _randn(2, 3, 4, 12)
    wide = _wide(_pointwise, width=width, stride=stride)
    torch.testing.assert_close(wide(x, SIGMAS, 0), _pointwise(x, SIGMAS, 0))


def test_each_column_is_the_mean_of_its_windows() -> None:
    x = torch.tensor([1.0, 2.0, 3.0, 6.0]).view(1, 1, 1, 4)
    means = {0: 1.5, 1: 2.5, 2: 4.5, 3: 3.5}  # of the windows (0 1) (1 2) (2 3) (3 0)
    expected = [x[0, 0, 0, k].item() - (means[k] + means[k - 1 if k else 3]) / 2 for k in range(4)]
    result = _wide(_global, width=2, stride=1)(x, SIGMAS[:1], 0)
    assert result.flatten().tolist() == pytest.approx(expected)


def test_windows_go_round() -> None:
    x, wide = _randn(2, 3, 4, 16), _wide(_global, width=6, stride=4)
    rolled = wide(x.roll(4, dims=-1), SIGMAS, 0)
    torch.testing.assert_close(rolled, wide(x, SIGMAS, 0).roll(4, dims=-1))


def test_a_picture_no_wider_than_a_window_goes_through_whole() -> None:
    x = _randn(2, 3, 4, 6)
    whole = _wide(_global, width=6, stride=3)(x, SIGMAS, 0)
    assert torch.equal(whole, _global(x, SIGMAS, 0))


def test_each_window_keeps_its_image_s_sigma() -> None:
    x = _randn(2, 1, 1, 8)
    seen = _wide(lambda x, s, step: s.view(-1, 1, 1, 1).expand_as(x), width=4, stride=2)
    torch.testing.assert_close(seen(x, SIGMAS, 0), SIGMAS.view(2, 1, 1, 1).expand_as(x))


def test_open_windows_end_with_the_picture() -> None:
    assert places(16, Window(width=6, stride=4, closed=False)) == [0, 4, 8, 10]
    assert places(14, Window(width=6, stride=4, closed=False)) == [0, 4, 8]
    x = _randn(1, 1, 1, 14)
    wide = _wide(_global, width=6, stride=4, closed=False)(x, SIGMAS[:1], 0)
    torch.testing.assert_close(wide[..., :4], (x - x[..., :6].mean())[..., :4])


def test_more_windows_than_go_together_come_out_the_same() -> None:
    x = _randn(1, 2, 2, 4 * TOGETHER + 4)
    seen: list[int] = []

    def denoise(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        seen.append(len(x))
        return _global(x, sigma, step)

    wide = _wide(denoise, width=4, stride=2)(x, SIGMAS[:1], 0)
    assert max(seen) == TOGETHER and sum(seen) == (4 * TOGETHER + 4) / 2
    one = _global(x[..., 2:6], SIGMAS[:1], 0) + _global(x[..., 4:8], SIGMAS[:1], 0).roll(2, -1)
    torch.testing.assert_close(wide[..., 4:6], one[..., 2:4] / 2)
