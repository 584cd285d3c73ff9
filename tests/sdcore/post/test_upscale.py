from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from sdcore.errors import MachineError, ModelError, RequestError
from sdcore.post.network import load_network
from sdcore.post.upscale import (
    UPSCALERS,
    Upscaler,
    by_network,
    load_upscaler,
    scaled_size,
    upscaled,
    upscaled_by_two,
)
from sdcore.resize import Size

RNG = np.random.default_rng(0)


def _noise(w: int, h: int) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (h, w, 3), dtype=np.uint8))


def _network(kind: str) -> torch.nn.Module:
    """The published architecture, at its smallest, with random weights that give a picture."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.meshgrid")  # spandrel's
        return _made(kind)


def _made(kind: str) -> torch.nn.Module:
    if kind == "ESRGAN":
        from spandrel.architectures.ESRGAN import ESRGAN

        return ESRGAN(num_filters=8, num_blocks=1, scale=4)
    if kind == "SwinIR":
        from spandrel.architectures.SwinIR import SwinIR

        return SwinIR(
            img_size=16,
            embed_dim=16,
            depths=[2],
            num_heads=[2],
            window_size=8,
            mlp_ratio=2,
            upscale=2,
            upsampler="pixelshuffle",
        )
    if kind == "DAT":
        from spandrel.architectures.DAT import DAT

        return DAT(
            img_size=16,
            embed_dim=64,
            split_size=[4, 4],
            depth=[2],
            num_heads=[2],
            expansion_factor=2,
            upscale=2,
            upsampler="pixelshuffle",
        )
    from spandrel.architectures.Compact import Compact

    return Compact(num_feat=8, num_conv=2, upscale=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A safetensors file of each architecture; of Compact a .pth, wrapped as they are published."""
    where = tmp_path_factory.mktemp("upscalers")
    for kind in ("ESRGAN", "SwinIR", "DAT"):
        save_file(_network(kind).state_dict(), where / f"{kind}.safetensors")
    torch.save({"params_ema": _network("Compact").state_dict()}, where / "Compact.pth")
    return where


FILES = [
    ("ESRGAN.safetensors", 4),
    ("SwinIR.safetensors", 2),
    ("DAT.safetensors", 2),
    ("Compact.pth", 2),
]


@pytest.mark.parametrize(("name", "scale"), FILES)
def test_any_architecture_is_found_by_its_file_and_runs(
    folder: Path, name: str, scale: int
) -> None:
    """What comes out is what the network itself gives for the picture."""
    picture = _noise(24, 16)
    network = _network(name.split(".")[0]).eval()
    found = load_upscaler(folder / name).enlarge(picture, (1, 1))
    given = torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]
    with torch.inference_mode():
        wanted = network(given)[0].clamp(0, 1).permute(1, 2, 0).numpy() * 255
    assert found.size == (24 * scale, 16 * scale) and wanted.std() > 1
    assert np.abs(np.asarray(found) - wanted).max() <= 0.51


def test_tiles_that_overlap_by_more_than_the_network_sees_give_the_untiled_picture(
    folder: Path,
) -> None:
    """Compact's four 3 x 3 convolutions see 4 pixels far; of 16 a quarter is thrown away."""
    network = load_network(folder / "Compact.pth")
    picture = _noise(90, 70)
    whole = np.asarray(by_network(picture, network, tile=0, overlap=99)).astype(int)
    tiled = np.asarray(by_network(picture, network, tile=32, overlap=16)).astype(int)
    bare = np.asarray(by_network(picture, network, tile=32, overlap=0)).astype(int)
    assert np.abs(tiled - whole).max() <= 1
    assert np.abs(bare - whole).max() > 4  # so without overlap there are seams


def _counting(factor: int, seen: list[Size]) -> Upscaler:
    def enlarge(picture: Image.Image, size: Size) -> Image.Image:
        seen.append(picture.size)
        return picture.resize((picture.width * factor, picture.height * factor))

    return Upscaler(name="counting", enlarge=enlarge)


PASSES: list[tuple[int, Size | float, list[Size], Size]] = [
    # the network's factor, to, what each pass is given, result
    (2, 2.0, [(16, 24)], (32, 48)),
    (2, 3.0, [(16, 24), (32, 48)], (48, 72)),
    (2, 16.0, [(16, 24), (32, 48), (64, 96)], (256, 384)),
    (4, 1.0, [(16, 24)], (16, 24)),
    (4, 0.5, [], (8, 8)),
    (1, 2.0, [(16, 24)], (32, 48)),
    (2, (33, 47), [(16, 24), (32, 48)], (33, 47)),
    (2, (16, 24), [], (16, 24)),
]


@pytest.mark.parametrize(("factor", "to", "given", "size"), PASSES)
def test_an_upscaler_goes_over_a_picture_until_it_is_large_enough_three_times_at_most(
    factor: int, to: Size | float, given: list[Size], size: Size
) -> None:
    seen: list[Size] = []
    found = upscaled(_noise(16, 24), _counting(factor, seen), to)
    assert (seen, found.size) == (given, size)


def test_a_factor_gives_the_multiples_of_eight_below() -> None:
    assert scaled_size((512, 100), 1.5) == (768, 144)


def test_nearest_repeats_pixels_and_none_is_finished_by_lanczos() -> None:
    picture = _noise(8, 8)
    nearest = np.asarray(upscaled(picture, UPSCALERS["Nearest"], 2.0))
    np.testing.assert_array_equal(nearest, np.asarray(picture).repeat(2, 0).repeat(2, 1))
    lanczos = picture.resize((16, 16), Image.Resampling.LANCZOS).tobytes()
    assert upscaled(picture, UPSCALERS["Lanczos"], 2.0).tobytes() == lanczos
    assert upscaled(picture, UPSCALERS["None"], 2.0).tobytes() == lanczos


def test_two_upscalers_are_mixed_by_the_seconds_share() -> None:
    black, white = (
        Upscaler(name=name, enlarge=lambda p, size, c=colour: Image.new("RGB", size, c))
        for name, colour in (("black", (0, 0, 0)), ("white", (200, 200, 200)))
    )
    picture = _noise(8, 8)
    for share, grey in ((0.0, 0), (0.25, 50), (1.0, 200)):
        mixed = upscaled_by_two(picture, (black, white), 2.0, share=share)
        assert mixed.getextrema() == ((grey, grey),) * 3


def _raise(*_: Any, **__: Any) -> None:
    raise AssertionError("code ran")


class Bomb:
    """A pickle that runs code when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_raise, ())


def test_a_pickle_that_is_more_than_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"params": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(ModelError, match="tensors alone"):
        load_upscaler(tmp_path / "bomb.pth")


def test_what_is_no_upscaler_is_refused_in_a_sentence(tmp_path: Path) -> None:
    save_file({"a.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="no network that spandrel knows"):
        load_upscaler(tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="copy it again"):
        load_upscaler(tmp_path / "broken.safetensors")
    (tmp_path / "picture.png").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="no weight file"):
        load_upscaler(tmp_path / "picture.png")
    with pytest.raises(ModelError, match="missing"):
        load_upscaler(tmp_path / "nowhere.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="no tensors by name"):
        load_upscaler(tmp_path / "list.pth")


def test_a_file_that_lacks_a_tensor_is_refused(folder: Path, tmp_path: Path) -> None:
    state = _network("ESRGAN").state_dict()
    state.pop(next(name for name in state if "RDB2.conv3" in name and name.endswith("weight")))
    save_file(state, tmp_path / "part.safetensors")
    with pytest.raises(ModelError, match="does not fit"):
        load_upscaler(tmp_path / "part.safetensors")


def test_a_network_of_one_channel_is_refused(tmp_path: Path) -> None:
    from spandrel.architectures.ESRGAN import ESRGAN

    grey = ESRGAN(in_nc=1, out_nc=1, num_filters=8, num_blocks=1, scale=2)
    save_file(grey.state_dict(), tmp_path / "grey.safetensors")
    with pytest.raises(ModelError, match="takes 1 channels"):
        load_upscaler(tmp_path / "grey.safetensors")


def test_without_spandrel_it_is_said_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(MachineError, match=r"riffapp\[upscale\]"):
        load_upscaler(folder / "ESRGAN.safetensors")


@pytest.mark.parametrize("scale", [0.0, -1.0, 17.0, float("nan"), float("inf")])
def test_a_factor_out_of_range_is_refused(scale: float) -> None:
    with pytest.raises(RequestError, match="give more than 0, at most 16"):
        upscaled(_noise(8, 8), UPSCALERS["None"], scale)


def test_sizes_shares_and_overlaps_out_of_range_are_refused(folder: Path) -> None:
    two = (UPSCALERS["None"], UPSCALERS["Nearest"])
    with pytest.raises(RequestError, match="at least 1 x 1"):
        upscaled(_noise(8, 8), UPSCALERS["None"], (0, 8))
    with pytest.raises(RequestError, match="larger factor"):
        upscaled(_noise(8, 8), UPSCALERS["None"], 0.5)
    with pytest.raises(RequestError, match="give 0 to 1"):
        upscaled_by_two(_noise(8, 8), two, 2.0, share=1.5)
    with pytest.raises(RequestError, match="less overlap"):
        load_upscaler(folder / "Compact.pth", tile=16, overlap=16)
