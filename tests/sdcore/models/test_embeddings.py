"""Textual inversions of each known layout are read for the towers that they fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sdcore.errors import ModelError
from sdcore.models.embeddings import read_embedding
from sdcore.models.load import load

Folders = Callable[[str, str], Path]


@pytest.mark.parametrize("name", ["emb_params", "<cat>"])
@pytest.mark.parametrize("shape", [(3, 32), (32,)])
def test_one_tensor_is_the_word_s_vectors(
    family_folder: Folders, tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    towers = load(family_folder("sd1", "text"), device="cpu").towers
    vectors = torch.arange(float(torch.Size(shape).numel())).reshape(shape)
    save_file({name: vectors.half()}, tmp_path / "cat.safetensors")
    (found,) = read_embedding(tmp_path / "cat.safetensors", towers)
    assert found is not None and found.dtype == torch.float32
    assert torch.equal(found, vectors.reshape(-1, 32))


@pytest.mark.parametrize(("family", "towers"), [("sdxl", (0, 1)), ("sdxl-refiner", (1,))])
def test_two_tensors_are_for_sdxl_s_two_towers(
    family_folder: Folders, tmp_path: Path, family: str, towers: tuple[int, ...]
) -> None:
    pair = (torch.rand(2, 32), torch.rand(2, 48))
    save_file({"clip_l": pair[0], "clip_g": pair[1]}, tmp_path / "x.safetensors")
    checkpoint = load(family_folder(family, "text"), device="cpu")
    found = read_embedding(tmp_path / "x.safetensors", checkpoint.towers)
    assert len(found) == len(towers)
    for vectors, tower in zip(found, towers, strict=True):
        assert vectors is not None and torch.equal(vectors, pair[tower])


@pytest.mark.parametrize("nested", [False, True])
def test_a_pickle_is_read_only_if_it_is_allowed(
    family_folder: Folders, tmp_path: Path, nested: bool
) -> None:
    towers = load(family_folder("sd1", "text"), device="cpu").towers
    content = {"<cat>": torch.ones(2, 32)}
    torch.save({"string_to_param": content, "step": 5} if nested else content, tmp_path / "x.pt")
    with pytest.raises(ModelError, match="is a pickle"):
        read_embedding(tmp_path / "x.pt", towers)
    (found,) = read_embedding(tmp_path / "x.pt", towers, allow_pickle=True)
    assert found is not None and torch.equal(found, torch.ones(2, 32))


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"a": (1, 32), "b": (1, 32)}, "has 2 tensors: give a textual inversion"),
        ({"emb_params": (1, 1024)}, r"shape \(1, 1024\), where the text encoders read widths 32"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    family_folder: Folders, tmp_path: Path, tensors: dict[str, tuple[int, int]], sentence: str
) -> None:
    towers = load(family_folder("sd1", "text"), device="cpu").towers
    save_file(
        {name: torch.zeros(shape) for name, shape in tensors.items()}, tmp_path / "x.safetensors"
    )
    with pytest.raises(ModelError, match=sentence):
        read_embedding(tmp_path / "x.safetensors", towers)
