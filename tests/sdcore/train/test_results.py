"""What was learned goes into files that are read again as it was, by us and by others."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from sdcore import conditioning
from sdcore.conditioning import Context, Reading
from sdcore.denoise import network
from sdcore.errors import MachineError
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.circular import circular
from sdcore.models.embeddings import read_embedding
from sdcore.models.load import load
from sdcore.models.lora import Lora, applied, read_lora
from sdcore.models.single import load_single, write_single
from sdcore.prompt import Span
from sdcore.train import own, results
from sdcore.train.own import Examples, Learned, train
from sdcore.train.task import Recipe, Task, What

Folders = Callable[[str, str], Path]
RECIPE = Recipe(steps=2, batch=2, lr=5e-2, warmup=1, ema=0.5, save_minutes=9.0)
FAMILIES = ("sd1", "sd2", "sdxl")
GROUPS = (
    Examples(
        latents=torch.randn(2, 4, 4, 8, generator=torch.Generator().manual_seed(0)),
        captions=("zorp house, A minor", "zorp house"),
    ),
)


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread and float32, which is fast for networks as small as these, whatever the machine.

    In bf16, where it is native, the tests of the app train.
    """
    torch.set_num_threads(1)
    monkeypatch.setattr(own, "pick_dtype", lambda device, wanted: torch.float32)


def learned(checkpoint: Checkpoint, place: Path, what: What, **changes: Any) -> Learned:
    plain = {"name": "zorp", "rank": 2, "alpha": 3.0, "begins_as": "house", "recipe": RECIPE}
    wanted = Task(what=what, **plain | {"text": True} | changes)
    return train(checkpoint, GROUPS, wanted, folder=place)


def file_of(learned: Learned, place: Path) -> Path:
    is_lora = learned.subject.task.what == "lora"
    path = place / "zorp.safetensors"
    write = results.lora_file if is_lora else results.embedding_file
    path.write_bytes(write(learned, GROUPS))
    return path


def small(family_folder: Folders, family: str) -> Checkpoint:
    return load(family_folder(family, "text"), device="cpu", dtype=torch.float32)


def read(checkpoint: Checkpoint, words: str = "zorp house") -> Context:
    with torch.no_grad():
        reading = Reading(size=(64, 32))
        blocks = ((Span(words, 1.0),),)
        return conditioning.context_of(checkpoint, blocks, reading, is_negative=False)


@torch.no_grad()
def drawn(checkpoint: Checkpoint) -> Tensor:
    """What the checkpoint takes noise for, on a circle."""
    x = torch.randn(1, 4, 4, 8, generator=torch.Generator().manual_seed(1))
    with circular([checkpoint.unet], axes="x"):
        return network(checkpoint)(x, torch.tensor([2.0]), read(checkpoint))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_lora_s_file_draws_as_the_training_did(
    family_folder: Folders, tmp_path: Path, family: str
) -> None:
    checkpoint = small(family_folder, family)
    done = learned(checkpoint, tmp_path / "work", "lora")
    before = drawn(checkpoint)
    with done.subject.worn():
        trained = drawn(checkpoint)
    lora = read_lora(file_of(done, tmp_path))
    with applied(checkpoint, [(lora, 1.0, 1.0)]) as on:
        assert on.unmatched == () and lora.unread == ()
        again = drawn(checkpoint)
    moved = float((trained - before).norm())
    assert moved > 0.05 * float(before.norm())
    assert float((again - trained).norm()) < 0.01 * moved  # float16
    assert torch.equal(drawn(checkpoint), before)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_diffusers_and_peft_read_the_same_weights_from_it(
    family_folder: Folders, tmp_path: Path, family: str
) -> None:
    pytest.importorskip("peft", reason="the oracle needs peft")
    import diffusers

    checkpoint = small(family_folder, family)
    path = file_of(learned(checkpoint, tmp_path / "work", "lora"), tmp_path)
    pipeline = diffusers.DiffusionPipeline.from_pretrained(family_folder(family, "text"))
    pipeline.load_lora_weights(str(path.parent), weight_name=path.name)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    theirs = [pipeline.unet, pipeline.text_encoder, getattr(pipeline, "text_encoder_2", None)]
    ours = [checkpoint.unet, *(tower.encoder for tower in checkpoint.towers)]
    plain = [n.state_dict() for n in ours]
    plain = [{k: v.clone() for k, v in state.items()} for state in plain]
    changed = 0
    with applied(checkpoint, [(read_lora(path), 1.0, 1.0)]):
        for before, mine, other in zip(plain, ours, theirs, strict=False):
            fused = other.state_dict()
            for name, tensor in mine.state_dict().items():
                assert torch.allclose(tensor, fused[name], atol=1e-5), name
                changed += not torch.equal(tensor, before[name])
    # the last layer of SDXL's first tower is not read, and so learns nothing
    wanted = [change for change in read_lora(path).changes.values() if change.tensors["up"].any()]
    assert changed == len(wanted) > 100


def test_attention_alone_is_a_smaller_file_of_the_same_kind(
    family_folder: Folders, tmp_path: Path
) -> None:
    checkpoint = small(family_folder, "sd1")
    done = learned(checkpoint, tmp_path / "work", "lora", convolutions=False, text=False)
    lora = read_lora(file_of(done, tmp_path))
    assert all("_attentions_" in stem for stem in lora.changes)
    assert any("attn2_to_k" in stem for stem in lora.changes)


def test_the_header_says_how_it_was_learned(family_folder: Folders, tmp_path: Path) -> None:
    checkpoint = small(family_folder, "sdxl")
    done = learned(checkpoint, tmp_path / "work", "lora", min_snr=5.0)
    path = file_of(done, tmp_path)
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    said, tensors = json.loads(data[8:start])["__metadata__"], data[start:]
    assert said["sshs_model_hash"] == hashlib.sha256(tensors).hexdigest()
    assert read_lora(path).sha256 == said["sshs_model_hash"]
    expected = {
        "ss_network_module": "networks.lora",
        "ss_network_dim": "2",
        "ss_network_alpha": "3.0",
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_max_train_steps": "2",
        "ss_min_snr_gamma": "5.0",
        "ss_num_train_images": "2",
        "ss_resolution": "64x32",
        "ss_output_name": "zorp",
    }
    assert {name: said[name] for name in expected} == expected
    assert json.loads(said["ss_tag_frequency"]) == {"zorp": {"zorp house": 2, "A minor": 1}}
    assert results.lora_file(done, GROUPS) == data
    assert list(said) == sorted(said)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_word_s_file_is_read_as_it_was_learned(
    family_folder: Folders, tmp_path: Path, family: str
) -> None:
    checkpoint = small(family_folder, family)
    done = learned(checkpoint, tmp_path / "work", "embedding", vectors=3)
    path = file_of(done, tmp_path)
    found = read_embedding(path, checkpoint.towers)
    assert all(one is not None and one.shape[0] == 3 for one in found)
    dressed = replace(checkpoint, embeddings={"zorp": found})
    assert torch.equal(read(dressed).tokens, read(done.subject.checkpoint).tokens)
    assert not torch.equal(read(dressed).tokens, read(checkpoint).tokens)
    names = {"sdxl": {"clip_l", "clip_g"}}.get(family, {"emb_params"})
    assert set(load_file(path)) == names


def test_diffusers_reads_the_word_too(family_folder: Folders, tmp_path: Path) -> None:
    import diffusers

    checkpoint = small(family_folder, "sd1")
    path = file_of(learned(checkpoint, tmp_path / "work", "embedding"), tmp_path)
    pipeline = diffusers.DiffusionPipeline.from_pretrained(family_folder("sd1", "text"))
    pipeline.load_textual_inversion(str(path.parent), weight_name=path.name, token="zorp")
    number = pipeline.tokenizer.convert_tokens_to_ids("zorp")
    table = pipeline.text_encoder.get_input_embeddings().weight
    (vectors,) = read_embedding(path, checkpoint.towers)
    assert vectors is not None and torch.allclose(table[number], vectors[0])


def test_a_whole_checkpoint_is_written_in_the_layout_that_it_came_in(
    family_folder: Folders, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(family_folder("sdxl", "text"), source)
    config = json.loads((source / "unet" / "config.json").read_text())
    config["circular_edge"] = ["down_blocks.0.resnets.0.conv1"]
    (source / "unet" / "config.json").write_text(json.dumps(config))
    (source / "sound.json").write_text("{}")
    (source / "README.md").write_text("of the old weights")
    checkpoint = load(source, device="cpu", dtype=torch.float32)
    learned(checkpoint, tmp_path / "work", "full")
    results.write_full(checkpoint, source, tmp_path / "new", text=True)
    again = load(tmp_path / "new", device="cpu", dtype=torch.float32)
    assert again.edge == ("down_blocks.0.resnets.0.conv1",)
    assert (again.family, again.prediction) == ("sdxl", "epsilon")
    assert (tmp_path / "new" / "sound.json").is_file()
    assert not (tmp_path / "new" / "README.md").exists()
    before = load(source, device="cpu", dtype=torch.float32)
    for new, mine, old in (
        (again.unet, checkpoint.unet, before.unet),
        *(
            (n.encoder, m.encoder, o.encoder)
            for n, m, o in zip(again.towers, checkpoint.towers, before.towers, strict=True)
        ),
    ):
        pairs = list(zip(new.parameters(), mine.parameters(), old.parameters(), strict=True))
        assert all(torch.equal(n, m.half().float()) for n, m, _ in pairs)
        assert any(not torch.equal(m, o) for _, m, o in pairs)


def test_a_single_file_becomes_a_single_file(
    family_folder: Folders, tmp_path: Path, folder: Path
) -> None:
    source = tmp_path / "small.safetensors"
    shape = family_folder("sd1", "text")
    write_single(load(shape, device="cpu", dtype=torch.float32), source)

    def single(path: Path) -> Checkpoint:
        words = folder / "tokenizer"
        return load_single(path, device="cpu", dtype=torch.float32, tokenizer=words, config=shape)

    checkpoint = single(source)
    learned(checkpoint, tmp_path / "work", "full")
    results.write_full(checkpoint, source, tmp_path / "new.safetensors", text=True)
    again = single(tmp_path / "new.safetensors")
    for new, mine in zip(again.unet.parameters(), checkpoint.unet.parameters(), strict=True):
        assert torch.equal(new, mine.half().float())


def test_a_full_disk_leaves_no_part_of_a_checkpoint(
    family_folder: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = small(family_folder, "sd1")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "save_file", full)
    with pytest.raises(MachineError, match="No space left on device.*free some space"):
        results.write_full(checkpoint, family_folder("sd1", "text"), tmp_path / "new", text=False)
    assert list(tmp_path.iterdir()) == []


def test_a_lora_of_a_file_is_found_by_its_name(family_folder: Folders, tmp_path: Path) -> None:
    """The name in a prompt is the file's, and weight 0 draws what was there before."""
    from sdcore.generate import generate
    from sdcore.models.shelf import Shelf
    from sdcore.types import ImageRequest

    checkpoint = small(family_folder, "sd1")
    lora: Lora = read_lora(file_of(learned(checkpoint, tmp_path / "work", "lora"), tmp_path))
    shelf = Shelf(lora={"zorp": lora}.__getitem__)
    pixels = []
    for words in ("house", "house <lora:zorp:0>", "house <lora:zorp:1>"):
        asked = ImageRequest(prompt=words, steps=1, width=64, height=64, seed=1)
        pixels.append(generate(checkpoint, asked, shelf=shelf).images[0].tobytes())
    assert pixels[0] == pixels[1] != pixels[2]
