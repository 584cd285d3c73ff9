"""Merging does what its formulas say, to every tensor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from sdcore.errors import ModelError, RequestError, UnknownName
from sdcore.models.load import load
from sdcore.models.merge import Recipe, merge
from sdcore.models.single import load_single, write_single

Folders = Callable[[str, str], Path]
FIRST = "model.diffusion_model.input_blocks.0.0.weight"


def _put(place: Path, name: str, tensors: dict[str, Tensor], **header: str) -> Path:
    path = place / f"{name}.safetensors"
    save_file(tensors, path, metadata=header)
    return path


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _files(place: Path) -> tuple[Path, ...]:
    return tuple(
        _put(place, name, {"x": _random(3, 4, seed=seed), "n": torch.tensor([seed])})
        for seed, name in enumerate("abc")
    )


def _merged(place: Path, *files: Path, **options: Any) -> dict[str, Tensor]:
    out = place / "out.safetensors"
    tensors: dict[str, Tensor] = load_file(merge(Recipe(files=files, **options), out))
    return tensors


@pytest.mark.parametrize("m", [0.0, 0.3, 1.0, 1.5])
def test_a_weighted_sum_is_between_the_two(tmp_path: Path, m: float) -> None:
    a, b, _ = _files(tmp_path)
    merged = _merged(tmp_path, a, b, multiplier=m)
    wanted = (1 - m) * load_file(a)["x"] + m * load_file(b)["x"]
    assert torch.allclose(merged["x"], wanted, atol=1e-6)
    assert torch.equal(merged["n"], load_file(a)["n"])  # whole numbers are counted, not learnt


def test_a_difference_is_added(tmp_path: Path) -> None:
    files = _files(tmp_path)
    a, b, c = (load_file(path)["x"] for path in files)
    merged = _merged(tmp_path, *files, method="add difference", multiplier=0.7)
    assert torch.allclose(merged["x"], a + 0.7 * (b - c), atol=1e-6)


def test_no_interpolation_copies(tmp_path: Path) -> None:
    a, *_ = _files(tmp_path)
    merged, before = _merged(tmp_path, a, method="no interpolation"), load_file(a)
    assert merged.keys() == before.keys()
    assert all(torch.equal(merged[name], before[name]) for name in before)


@pytest.mark.parametrize("channels", [8, 9])
def test_only_the_first_channels_of_a_wider_first_convolution_are_merged(
    tmp_path: Path, channels: int
) -> None:
    wide, b, c = (
        _random(6, channels, 3, 3),
        _random(6, 4, 3, 3, seed=1),
        _random(6, 4, 3, 3, seed=2),
    )
    files = [_put(tmp_path, n, {FIRST: t}) for n, t in (("a", wide), ("b", b), ("c", c))]
    merged = _merged(tmp_path, *files[:2], multiplier=0.25)[FIRST]
    assert torch.allclose(merged[:, :4], 0.75 * wide[:, :4] + 0.25 * b, atol=1e-6)
    assert torch.equal(merged[:, 4:], wide[:, 4:])
    merged = _merged(tmp_path, *files, method="add difference", multiplier=1.0)[FIRST]
    assert torch.allclose(merged[:, :4], wide[:, :4] + b - c, atol=1e-6)
    assert torch.equal(merged[:, 4:], wide[:, 4:])
    with pytest.raises(ModelError, match="put the inpainting or InstructPix2Pix checkpoint first"):
        _merged(tmp_path, files[1], files[0])


def test_what_a_alone_has_stays_and_what_a_lacks_is_left_out(tmp_path: Path) -> None:
    a = _put(tmp_path, "a", {"x": _random(2), "only": _random(3)})
    b = _put(tmp_path, "b", {"x": _random(2), "more": _random(3)})
    merged = _merged(tmp_path, a, b)
    assert merged.keys() == {"x", "only"} and torch.equal(merged["only"], _random(3))


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
def test_a_vae_is_baked_in(tmp_path: Path, prefix: str) -> None:
    a = _put(tmp_path, "a", {"x": _random(2), "first_stage_model.y": _random(3)})
    vae = _put(tmp_path, "v", {f"{prefix}y": _random(3, seed=5), "loss.z": _random(1)})
    merged = _merged(tmp_path, a, method="no interpolation", vae=vae)
    assert merged.keys() == {"x", "first_stage_model.y"}
    assert torch.equal(merged["first_stage_model.y"], _random(3, seed=5))


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [({"z": (1,)}, "for it has no first_stage_model.y"), ({"y": (4,)}, r"has y of shape \(4,\)")],
)
def test_a_vae_of_another_family_is_refused(
    tmp_path: Path, tensors: dict[str, tuple[int]], sentence: str
) -> None:
    a = _put(tmp_path, "a", {"first_stage_model.y": _random(3)})
    vae = _put(tmp_path, "v", {name: _random(*shape) for name, shape in tensors.items()})
    with pytest.raises(ModelError, match=sentence):
        _merged(tmp_path, a, method="no interpolation", vae=vae)
    assert not list(tmp_path.glob("*out*")) and not list(tmp_path.glob(".*"))


def test_names_that_match_are_discarded(tmp_path: Path) -> None:
    a = _put(tmp_path, "a", {"model_ema.x": _random(2), "x": _random(2), "y": _random(1)})
    merged = _merged(tmp_path, a, method="no interpolation", discard="^model_ema|y$")
    assert merged.keys() == {"x"}


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp16", torch.float16), ("bf16", torch.bfloat16), ("fp32", torch.float32)],
)
def test_the_precision_is_chosen(tmp_path: Path, precision: Any, dtype: torch.dtype) -> None:
    files = _files(tmp_path)[:2]
    exact = _merged(tmp_path, *files)["x"]
    merged = _merged(tmp_path, *files, precision=precision)
    assert torch.equal(merged["x"], exact.to(dtype)) and merged["n"].dtype == torch.int64


def test_tensors_of_every_shape_and_width_are_written(tmp_path: Path) -> None:
    tensors = {
        "none": torch.zeros(0),
        "one": torch.tensor(2.5),
        "half": _random(3).half(),
        "brain": _random(2, 2).bfloat16(),
        "flag": torch.tensor([True, False, True]),
        "double": _random(2).double(),
    }
    merged = _merged(tmp_path, _put(tmp_path, "a", tensors), method="no interpolation")
    assert all(torch.equal(merged[name], tensors[name]) for name in tensors)
    assert all(merged[name].dtype == tensors[name].dtype for name in tensors)


def test_the_recipe_stands_in_the_header(tmp_path: Path) -> None:
    said = {"modelspec.prediction_type": "v", "modelspec.title": "A"}
    a = _put(tmp_path, "a", {"x": _random(2)}, **said)
    b = _put(tmp_path, "b", {"x": _random(2)})
    with safe_open(
        merge(Recipe(files=(a, b), multiplier=0.5), tmp_path / "out.safetensors"), framework="pt"
    ) as file:
        header = file.metadata()
    recipe = json.loads(header["sd_merge_recipe"])
    assert header["modelspec.prediction_type"] == "v" and "modelspec.title" not in header
    assert (recipe["method"], recipe["multiplier"]) == ("weighted sum", 0.5)
    assert [file["name"] for file in recipe["files"]] == ["a.safetensors", "b.safetensors"]
    assert all(len(file["sha256"]) == 64 for file in recipe["files"])


def test_a_merged_checkpoint_loads(family_folder: Folders, tmp_path: Path) -> None:
    folder = family_folder("sd1", "text")
    first = load(folder, device="cpu", dtype=torch.float32)
    second = load(folder, device="cpu", dtype=torch.float32)
    for parameter in second.unet.parameters():
        parameter += 0.1
    paths = (tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    for checkpoint, path in zip((first, second), paths, strict=True):
        write_single(checkpoint, path)
    out = merge(Recipe(files=paths, multiplier=0.5), tmp_path / "out.safetensors")
    options = {"device": "cpu", "dtype": torch.float32, "config": folder}
    merged = load_single(out, tokenizer=folder / "tokenizer", **options)  # type: ignore[arg-type]
    before = first.unet.state_dict()
    for name, tensor in merged.unet.state_dict().items():
        assert torch.allclose(tensor, before[name] + 0.05, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"method": "add difference"}, RequestError, "2 checkpoints for 'add difference': give 3"),
        ({"method": "weighted"}, UnknownName, "nearest 'weighted sum'"),
        ({"precision": "fp8"}, UnknownName, "unknown precision 'fp8'"),
        ({"multiplier": float("nan")}, RequestError, "a multiplier of nan"),
        ({"discard": "("}, RequestError, r"'\(' is no regular expression"),
        ({"vae": Path("x.pt")}, RequestError, "x.pt is no .safetensors file"),
        ({"vae": Path("gone.safetensors")}, ModelError, "gone.safetensors is missing or no"),
    ],
)
def test_what_cannot_be_merged_is_refused(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        _merged(tmp_path, *_files(tmp_path)[:2], **options)


def test_other_families_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    a, b = (_put(tmp_path, n, {"x": _random(2, width)}) for n, width in (("a", 3), ("b", 4)))
    with pytest.raises(ModelError, match="give files of one family"):
        _merged(tmp_path, a, b)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]
