"""Single files: the published names, written and read without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from sdcore.errors import ModelError
from sdcore.models.checkpoint import Checkpoint, TextTower
from sdcore.models.layout import published_clip, published_unet, published_vae, to_openclip
from sdcore.models.load import load
from sdcore.models.networks import build_text_encoder, build_unet, build_vae
from sdcore.models.single import load_single, write_single

FAMILIES = [
    ("sd1", "text"),
    ("sd1", "inpaint"),
    ("sd1", "instruct"),
    ("sd2", "text"),
    ("sd2", "inpaint"),
    ("sdxl", "text"),
    ("sdxl", "inpaint"),
    ("sdxl", "instruct"),
    ("sdxl-refiner", "text"),
]
Folders = Callable[[str, str], Path]


def _networks(checkpoint: Checkpoint) -> Iterator[Any]:
    yield from (checkpoint.unet, checkpoint.vae, *(tower.encoder for tower in checkpoint.towers))


def _same(a: Any, b: Any) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def _written(folder: Path, place: Path) -> tuple[Checkpoint, Path]:
    checkpoint = load(folder, device="cpu", dtype=torch.float32)
    path = place / "small.safetensors"
    write_single(checkpoint, path)
    return checkpoint, path


def _options(folder: Path) -> dict[str, Any]:
    words = folder / "tokenizer"
    return {
        "device": "cpu",
        "dtype": torch.float32,
        "config": folder,
        "tokenizer": words if words.is_dir() else folder / "tokenizer_2",
    }


@pytest.mark.parametrize(("family", "kind"), FAMILIES)
def test_what_is_written_into_one_file_is_read_back_bit_equal(
    family_folder: Folders, tmp_path: Path, family: str, kind: str
) -> None:
    folder = family_folder(family, kind)
    checkpoint, path = _written(folder, tmp_path)
    read = load_single(path, **_options(folder))
    assert (read.family, read.kind, read.prediction) == (family, kind, checkpoint.prediction)
    pairs = zip(_networks(checkpoint), _networks(read), strict=True)
    assert all(_same(before, after) for before, after in pairs)
    assert torch.equal(read.levels.sigmas, checkpoint.levels.sigmas)
    for before, after in zip(checkpoint.towers, read.towers, strict=True):
        assert before.pooled == after.pooled
        assert before.tokenizer.pad_token_id == after.tokenizer.pad_token_id


@pytest.mark.parametrize(("family", "kind"), FAMILIES)
def test_diffusers_reads_what_is_written(
    family_folder: Folders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    family: str,
    kind: str,
) -> None:
    from diffusers.loaders import single_file_utils

    # the width of SD 2's encoder, which diffusers takes from no configuration
    monkeypatch.setattr(single_file_utils, "LDM_OPEN_CLIP_TEXT_PROJECTION_DIM", 32)
    folder = family_folder(family, kind)
    checkpoint, path = _written(folder, tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    absent = {name: None for name in ("safety_checker", "feature_extractor") if name in index}
    pipeline = getattr(diffusers, index["_class_name"]).from_single_file(
        str(path), config=str(folder), local_files_only=True, torch_dtype=torch.float32, **absent
    )
    encoders = [getattr(pipeline, name, None) for name in ("text_encoder", "text_encoder_2")]
    theirs = (pipeline.unet, pipeline.vae, *(e for e in encoders if e is not None))
    assert all(_same(*pair) for pair in zip(_networks(checkpoint), theirs, strict=True))


def _full_size(family: str) -> dict[str, torch.Size]:
    """Published names and shapes of a family's networks at their real size, without weights."""
    configs = json.loads((files("sdcore.models") / "configs" / f"{family}.json").read_text())
    source = Path(family)
    unet, (vae, _) = build_unet(configs["unet"], source), build_vae(configs["vae"], source)
    shapes: dict[str, torch.Size] = {}
    for network, names in ((unet, published_unet(unet)), (vae, published_vae(vae))):
        shapes |= {names[k]: v.shape for k, v in network.state_dict().items()}
    if family in ("sd1", "sdxl"):
        stem = "cond_stage_model" if family == "sd1" else "conditioner.embedders.0"
        clip = build_text_encoder(configs["text_encoder"], source)
        names = published_clip(clip, f"{stem}.transformer.")
        shapes |= {names[k]: v.shape for k, v in clip.state_dict().items()}
    if family != "sd1":
        part = "text_encoder" if family == "sd2" else "text_encoder_2"
        stem = {"sd2": "cond_stage_model", "sdxl": "conditioner.embedders.1"}.get(
            family, "conditioner.embedders.0"
        )
        state = build_text_encoder(configs[part], source).state_dict()
        shapes |= {k: v.shape for k, v in to_openclip(state, f"{stem}.model.").items()}
    return shapes


@pytest.mark.parametrize(
    ("family", "counts", "shapes"),
    [
        (
            "sd1",
            {
                "model.diffusion_model.": 686,
                "first_stage_model.": 248,
                "cond_stage_model.transformer.text_model.": 196,
            },
            {
                "model.diffusion_model.time_embed.0.weight": (1280, 320),
                "model.diffusion_model.input_blocks.1.1.proj_in.weight": (320, 320, 1, 1),
                "model.diffusion_model.input_blocks.3.0.op.weight": (320, 320, 3, 3),
                "model.diffusion_model.input_blocks.11.0.out_layers.3.weight": (1280, 1280, 3, 3),
                "model.diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight": (
                    1280,
                    768,
                ),
                "model.diffusion_model.output_blocks.2.1.conv.weight": (1280, 1280, 3, 3),
                "model.diffusion_model.output_blocks.5.2.conv.weight": (1280, 1280, 3, 3),
                "model.diffusion_model.output_blocks.11.0.skip_connection.weight": (320, 640, 1, 1),
                "first_stage_model.encoder.down.1.block.0.nin_shortcut.weight": (256, 128, 1, 1),
                "first_stage_model.decoder.up.3.upsample.conv.weight": (512, 512, 3, 3),
                "first_stage_model.quant_conv.weight": (8, 8, 1, 1),
            },
        ),
        (
            "sd2",
            {"model.diffusion_model.": 686, "first_stage_model.": 248},
            {
                "model.diffusion_model.input_blocks.1.1.proj_in.weight": (320, 320),
                "cond_stage_model.model.transformer.resblocks.22.attn.in_proj_weight": (3072, 1024),
                "cond_stage_model.model.positional_embedding": (77, 1024),
            },
        ),
        (
            "sdxl",
            {
                "model.diffusion_model.": 1680,
                "first_stage_model.": 248,
                "conditioner.embedders.0.transformer.text_model.": 196,
                "conditioner.embedders.1.model.transformer.resblocks.": 384,
            },
            {
                "model.diffusion_model.label_emb.0.0.weight": (1280, 2816),
                "model.diffusion_model.input_blocks.7.1.transformer_blocks.9.attn2.to_k.weight": (
                    1280,
                    2048,
                ),
                "conditioner.embedders.1.model.text_projection": (1280, 1280),
            },
        ),
        (
            "sdxl-refiner",
            {"first_stage_model.": 248, "conditioner.embedders.0.model.": 389},
            {
                "model.diffusion_model.label_emb.0.0.weight": (1536, 2560),
                "model.diffusion_model.input_blocks.4.1.transformer_blocks.3.attn2.to_k.weight": (
                    768,
                    1280,
                ),
            },
        ),
    ],
)
def test_the_full_sized_families_have_the_published_names_and_shapes(
    family: str, counts: dict[str, int], shapes: dict[str, tuple[int, ...]]
) -> None:
    found = _full_size(family)
    assert {stem: sum(n.startswith(stem) for n in found) for stem in counts} == counts
    assert {name: tuple(found[name]) for name in shapes} == shapes


def test_files_of_2022_name_the_text_encoder_shorter(
    family_folder: Folders, tmp_path: Path
) -> None:
    folder = family_folder("sd1", "text")
    checkpoint, path = _written(folder, tmp_path)
    save_file({k.replace("text_model.", ""): v for k, v in load_file(path).items()}, path)
    read = load_single(path, **_options(folder))
    assert _same(read.towers[0].encoder, checkpoint.towers[0].encoder)


@pytest.mark.parametrize(("left", "prediction"), [(1.0, "epsilon"), (0.0, "v_prediction")])
def test_a_file_of_sd_2_that_does_not_say_it_is_tried(
    family_folder: Folders,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    left: float,
    prediction: str,
) -> None:
    """Of pure noise, a trained UNet gives the noise itself if it predicts epsilon."""
    folder = family_folder("sd2", "text")
    _, path = _written(folder, tmp_path)
    save_file(load_file(path), path)  # no header

    def forward(self: Any, x: torch.Tensor, t: int, words: torch.Tensor) -> Any:
        assert t == 999 and words.shape[-1] == 32
        other = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
        return SimpleNamespace(sample=left * x + 0.3 * other)

    monkeypatch.setattr(diffusers.UNet2DConditionModel, "forward", forward)
    assert load_single(path, **_options(folder)).prediction == prediction


def test_the_marker_of_v_prediction_is_read(family_folder: Folders, tmp_path: Path) -> None:
    folder = family_folder("sdxl", "text")
    _, path = _written(folder, tmp_path)
    save_file(load_file(path) | {"v_pred": torch.zeros(0)}, path)
    assert load_single(path, **_options(folder)).prediction == "v_prediction"


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_the_marker_of_zero_terminal_snr_is_written_and_read(
    family_folder: Folders, tmp_path: Path, family: str
) -> None:
    folder = family_folder(family, "text")
    checkpoint, path = _written(folder, tmp_path)
    assert "ztsnr" not in load_file(path)
    save_file(load_file(path) | {"ztsnr": torch.zeros(0)}, path)
    read = load_single(path, **_options(folder))
    assert torch.equal(read.levels.sigmas, checkpoint.levels.zero_terminal().sigmas)
    assert read.levels.family == family
    write_single(read, path)
    again = load_single(path, **_options(folder))
    assert torch.equal(again.levels.sigmas, read.levels.sigmas)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "sdxl-refiner"])
def test_diffusers_knows_every_published_name_of_the_full_sized_networks(family: str) -> None:
    """Its converters of files give exactly the names and shapes of its own networks."""
    from diffusers.loaders import single_file_utils as theirs

    configs = json.loads((files("sdcore.models") / "configs" / f"{family}.json").read_text())
    unet, (vae, _) = build_unet(configs["unet"], Path()), build_vae(configs["vae"], Path())
    for network, names, convert in (
        (unet, published_unet(unet), theirs.convert_ldm_unet_checkpoint),
        (vae, published_vae(vae), theirs.convert_ldm_vae_checkpoint),
    ):
        state = network.state_dict()
        found = convert({names[k]: v for k, v in state.items()}, config=dict(network.config))
        assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in state.items()}


def test_the_tokenizer_s_files_are_asked_for(family_folder: Folders, tmp_path: Path) -> None:
    _, path = _written(family_folder("sd1", "text"), tmp_path)
    with pytest.raises(ModelError, match=r"vocab.json and merges.txt into .*tokenizer$"):
        load_single(path, device="cpu", config=family_folder("sd1", "text"))


def test_a_pickle_is_read_only_if_it_is_allowed_by_name(
    family_folder: Folders, tmp_path: Path
) -> None:
    folder = family_folder("sd1", "text")
    checkpoint, path = _written(folder, tmp_path)
    pickled = tmp_path / "old.ckpt"
    torch.save({"state_dict": load_file(path), "global_step": 1}, pickled)
    with pytest.raises(ModelError, match="is a pickle, which can run code"):
        load_single(pickled, **_options(folder))
    read = load_single(pickled, **_options(folder), allow_pickle=True)
    assert _same(read.unet, checkpoint.unet)


def test_a_pickle_with_code_is_refused_though_pickles_are_allowed(tmp_path: Path) -> None:
    path = tmp_path / "bad.ckpt"
    torch.save({"state_dict": Path("x")}, path)
    with pytest.raises(ModelError, match="cannot be read as tensors alone"):
        load_single(path, allow_pickle=True)


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"weight": (1,)}, "has no model.diffusion_model.input_blocks.0.0.weight"),
        ({"model.diffusion_model.input_blocks.0.0.weight": (8, 5, 3, 3)}, "UNet of 5 channels"),
        ({"model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3)}, "has no text encoder"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    tmp_path: Path, tensors: dict[str, tuple[int, ...]], sentence: str
) -> None:
    path = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in tensors.items()}, path)
    with pytest.raises(ModelError, match=sentence):
        load_single(path, device="cpu")


def test_an_autoencoder_without_published_names_is_refused(
    checkpoint: Checkpoint, build: Any, tmp_path: Path
) -> None:
    from dataclasses import replace

    other = replace(checkpoint, vae=build.vae("AutoencoderDC"), towers=(_tower(checkpoint),))
    with pytest.raises(ModelError, match="AutoencoderDC, for which single files have no names"):
        write_single(other, tmp_path / "x.safetensors")


def _tower(checkpoint: Checkpoint) -> TextTower:
    return checkpoint.towers[0]
