"""Model files are found by name in both trees that people have."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sdcore.errors import UnknownName
from sdcore.models.folders import Folders, own_vae

TREES = [
    ("checkpoint", "models/Stable-diffusion", "models/checkpoints"),
    ("LoRA", "models/Lora", "models/loras"),
    ("VAE", "models/VAE", "models/vae"),
    ("embedding", "embeddings", "models/embeddings"),
    ("upscaler", "models/ESRGAN", "models/upscale_models"),
    ("upscaler", "models/RealESRGAN", "models/upscale_models"),
    ("upscaler", "models/SwinIR", "models/upscale_models"),
    ("face restorer", "models/GFPGAN", "models/facerestore_models"),
    ("face restorer", "models/Codeformer", "models/facerestore_models"),
    ("preview", "models/VAE-approx", "models/vae_approx"),
]


def _put(root: Path, *names: str) -> Folders:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return Folders(roots=(root,))


@pytest.mark.parametrize(("kind", "first", "second"), TREES)
def test_each_kind_is_found_in_both_trees(
    tmp_path: Path, kind: str, first: str, second: str
) -> None:
    for tree, folder in (("a", first), ("b", second)):
        folders = _put(tmp_path / tree, f"{folder}/Cat.safetensors")
        found = folders.find(kind, "cat")  # type: ignore[arg-type]
        assert found.path == tmp_path / tree / folder / "Cat.safetensors"
        assert (found.name, found.kind) == ("Cat", kind)


def test_the_root_may_be_the_models_folder_itself(tmp_path: Path) -> None:
    _put(tmp_path, "models/Lora/cat.safetensors")
    folders = Folders(roots=(tmp_path / "models",))
    assert folders.find("LoRA", "cat").name == "cat"


@pytest.mark.parametrize(
    "name", ["cat", "CAT", "pets/cat", "pets\\Cat", "cat.safetensors", "pets/cat.ckpt", " cat "]
)
def test_names_need_no_folder_no_ending_and_no_capitals(tmp_path: Path, name: str) -> None:
    folders = _put(tmp_path, "models/Lora/pets/Cat.safetensors", "models/Lora/pets/Catalogue.pt")
    assert folders.find("LoRA", name).name == "pets/Cat"


def test_names_may_have_dots(tmp_path: Path) -> None:
    folders = _put(tmp_path, "models/Lora/cat v1.5.safetensors", "models/Lora/cat v1.safetensors")
    assert folders.find("LoRA", "cat v1.5").name == "cat v1.5"
    assert folders.find("LoRA", "cat v1").name == "cat v1"


def test_safetensors_come_before_pickles_of_the_same_name(tmp_path: Path) -> None:
    folders = _put(tmp_path, "embeddings/cat.pt", "embeddings/cat.safetensors")
    (found,) = folders.all("embedding")
    assert found.path.suffix == ".safetensors"


def test_the_first_root_comes_first(tmp_path: Path) -> None:
    for root in ("a", "b"):
        _put(tmp_path / root, "models/Lora/cat.safetensors")
    _put(tmp_path / "b", "models/Lora/dog.safetensors")
    folders = Folders(roots=(tmp_path / "a", tmp_path / "b"))
    assert folders.find("LoRA", "cat").path.is_relative_to(tmp_path / "a")
    assert folders.find("LoRA", "dog").path.is_relative_to(tmp_path / "b")


def test_a_hash_in_brackets_chooses_and_checks(tmp_path: Path) -> None:
    names = [f"models/Stable-diffusion/{sub}/cat.safetensors" for sub in "ab"]
    folders = _put(tmp_path, *names)
    for name in names:
        digits = hashlib.sha256(name.encode()).hexdigest()[:10]
        found = folders.find("checkpoint", f"cat [{digits}]")
        assert found.path == tmp_path / name and found.hash == digits
    with pytest.raises(UnknownName, match=r"has the hash [0-9a-f]{10}, not 0123456789"):
        folders.find("checkpoint", "cat [0123456789]")


def test_a_checkpoint_may_be_a_folder_and_its_parts_are_none(tmp_path: Path) -> None:
    place = "models/Stable-diffusion"
    folders = _put(
        tmp_path,
        f"{place}/tiny v1.5/model_index.json",
        f"{place}/tiny v1.5/unet/diffusion_pytorch_model.safetensors",
        f"{place}/other.safetensors",
        f"{place}/notes.txt",
    )
    assert [found.name for found in folders.all("checkpoint")] == ["other", "tiny v1.5"]
    assert folders.find("checkpoint", "tiny v1.5").path.is_dir()


def test_the_vae_beside_a_checkpoint_is_its_own_and_no_checkpoint(tmp_path: Path) -> None:
    place = "models/Stable-diffusion"
    folders = _put(
        tmp_path,
        *(f"{place}/{n}.safetensors" for n in ("cat", "cat.vae", "dog")),
        f"{place}/d.ckpt",
    )
    assert [found.name for found in folders.all("checkpoint")] == ["cat", "d", "dog"]
    beside = own_vae(folders.find("checkpoint", "cat"))
    assert beside == tmp_path / place / "cat.vae.safetensors"
    assert own_vae(folders.find("checkpoint", "dog")) is None


def test_hypernetworks_are_passed_by(tmp_path: Path) -> None:
    folders = _put(tmp_path, "models/hypernetworks/cat.pt", "models/ControlNet/cat.pth")
    kinds = {kind for kind, _, _ in TREES}
    assert all(folders.all(kind) == () for kind in kinds)  # type: ignore[arg-type]


def test_a_link_that_goes_round_ends(tmp_path: Path) -> None:
    folders = _put(tmp_path, "models/Lora/pets/cat.safetensors")
    (tmp_path / "models/Lora/pets/again").symlink_to(tmp_path / "models/Lora")
    assert [found.name for found in folders.all("LoRA")] == ["pets/cat"]


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path) -> None:
    folders = _put(tmp_path, "models/Lora/pets/tabby.safetensors", "models/Lora/dog.safetensors")
    with pytest.raises(UnknownName, match=r"unknown LoRA 'dogg': nearest 'dog'; known: dog, pets/"):
        folders.find("LoRA", "dogg")
    with pytest.raises(UnknownName, match=r"unknown VAE 'x': there is none in "):
        folders.find("VAE", "x")
    with pytest.raises(UnknownName, match="there is none in no folder at all"):
        Folders(roots=()).find("VAE", "x")
