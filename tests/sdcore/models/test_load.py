from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sdcore.errors import MachineError, ModelError, RequestError
from sdcore.models import fetch
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.load import load
from sdcore.models.scheduler import read_scheduler

FILES = (
    "model_index.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/config.json",
    "text_encoder/model.safetensors",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
    "scheduler/scheduler_config.json",
)
WEIGHTS = tuple(name for name in FILES if name.endswith(".safetensors"))
JSONS = tuple(name for name in FILES if name.endswith(".json"))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


Tensors = dict[str, torch.Tensor]


def _rewrite(path: Path, change: Callable[[Tensors], Tensors]) -> None:
    save_file(change(load_file(path)), path)


def _network(checkpoint: Checkpoint, part: str) -> Any:
    return checkpoint.towers[0].encoder if part == "text_encoder" else getattr(checkpoint, part)


def _refusal(folder: Path, **options: Any) -> str:
    with pytest.raises(ModelError) as refusal:
        load(folder, device="cpu", **options)
    text = str(refusal.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("vae", ["AutoencoderDC", "AutoencoderKL", "AutoencoderTiny"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_folder_is_loaded_as_it_was_saved(
    build: Any, tmp_path: Path, vae: str, prediction: str
) -> None:
    folder = build.checkpoint(tmp_path / "named", vae_name=vae, prediction=prediction)
    checkpoint = load(str(folder), device="cpu", dtype=torch.float32)
    assert type(checkpoint.vae).__name__ == vae
    assert (checkpoint.prediction, checkpoint.factor, checkpoint.latent_channels) == (
        prediction,
        8,
        4,
    )
    assert checkpoint.name == "named" and checkpoint.edge == ()
    assert len(checkpoint.sha256) == 64
    assert checkpoint.levels.sigma_max == pytest.approx(14.6146, abs=1e-4)
    for part, name in (("unet", WEIGHTS[0]), ("vae", WEIGHTS[1]), ("text_encoder", WEIGHTS[2])):
        network, saved = _network(checkpoint, part), load_file(folder / name)
        assert network.state_dict().keys() == saved.keys()
        assert all(torch.equal(network.state_dict()[key], saved[key]) for key in saved)
        assert not network.training and not any(p.requires_grad for p in network.parameters())
        assert not any(b.is_meta for b in network.buffers())


def test_fp16_files_are_cast(copy: Path) -> None:
    for name in WEIGHTS:
        path = copy / name
        _rewrite(path, lambda tensors: {key: value.half() for key, value in tensors.items()})
        path.rename(path.with_suffix(".fp16.safetensors"))
    checkpoint = load(copy, device="cpu")
    assert checkpoint.dtype in (torch.bfloat16, torch.float32)
    assert checkpoint.vae.dtype == checkpoint.towers[0].encoder.dtype == torch.float32


def test_the_names_of_older_libraries_are_read(folder: Path, copy: Path) -> None:
    """Those of transformers before 5, which also stored positions, and autoencoders of 2022."""
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def older_text(tensors: Tensors) -> Tensors:
        named = {f"text_model.{key}": value for key, value in tensors.items()}
        return named | {"text_model.embeddings.position_ids": torch.arange(77)[None]}

    def older_vae(tensors: Tensors) -> Tensors:
        def name(key: str) -> str:
            for today, then in old.items():
                key = key.replace(f".{today}.", f".{then}.")
            return key

        return {name(key): value for key, value in tensors.items()}

    _rewrite(copy / "text_encoder/model.safetensors", older_text)
    _rewrite(copy / "vae/diffusion_pytorch_model.safetensors", older_vae)
    assert "mid_block.attentions.0.query.weight" in " ".join(
        load_file(copy / "vae/diffusion_pytorch_model.safetensors")
    )
    new, read = load(folder, device="cpu"), load(copy, device="cpu")
    for part in ("vae", "text_encoder"):
        expected, found = _network(new, part).state_dict(), _network(read, part).state_dict()
        assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_the_edge_is_read(copy: Path) -> None:
    _edit(copy / "unet/config.json", circular_edge=["conv_in", "down_blocks.0.resnets.0.conv1"])
    assert load(copy, device="cpu").edge == ("conv_in", "down_blocks.0.resnets.0.conv1")


def test_the_hash_is_that_of_the_weights(folder: Path, copy: Path) -> None:
    assert load(copy, device="cpu").sha256 == load(folder, device="cpu").sha256
    _rewrite(copy / WEIGHTS[1], lambda tensors: {k: v + 1 for k, v in tensors.items()})
    assert load(copy, device="cpu").sha256 != load(folder, device="cpu").sha256


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert f"{copy / name} is missing" in _refusal(copy)


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("left", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_weights_file_is_named(copy: Path, name: str, left: float) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: int(left * len(content))])
    assert f"{copy / name} is truncated or no safetensors file" in _refusal(copy)


@pytest.mark.parametrize("name", JSONS)
@pytest.mark.parametrize("content", [b"", b'{"a": ', b"[1]", b"\xff\xfe"])
def test_a_broken_json_file_is_named(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    assert str(copy / name) in _refusal(copy)


def test_a_tokenizer_of_one_file_is_read(folder: Path, copy: Path) -> None:
    """As transformers 5 writes it."""
    before = load(folder, device="cpu").towers[0].tokenizer
    before.save_pretrained(copy / "tokenizer")  # type: ignore[attr-defined]
    for name in ("vocab.json", "merges.txt"):
        (copy / "tokenizer" / name).unlink()
    after = load(copy, device="cpu").towers[0].tokenizer
    plain = {"add_special_tokens": False, "truncation": False, "verbose": False}
    assert after("a house", **plain)["input_ids"] == before("a house", **plain)["input_ids"]
    assert after.get_vocab() == before.get_vocab()


@pytest.mark.parametrize(
    ("name", "content"),
    [("merges.txt", "#version: 0.2\nh o\nho"), ("merges.txt", "h zz"), ("tokenizer.json", "{}")],
)
def test_a_broken_tokenizer_is_refused(copy: Path, name: str, content: str) -> None:
    (copy / "tokenizer" / name).write_text(content)
    assert f"{copy / 'tokenizer'} holds no CLIP tokenizer" in _refusal(copy)


def test_pickled_weights_are_refused(copy: Path) -> None:
    path = copy / "unet/diffusion_pytorch_model.safetensors"
    path.rename(path.with_suffix(".bin"))
    assert "diffusion_pytorch_model.bin is a pickle" in _refusal(copy)


def test_a_missing_tensor_is_named(copy: Path) -> None:
    _rewrite(
        copy / WEIGHTS[0], lambda tensors: {k: v for k, v in tensors.items() if k != "conv_in.bias"}
    )
    text = _refusal(copy)
    assert str(copy / WEIGHTS[0]) in text and "lacks 1 of" in text and "conv_in.bias" in text


def test_a_tensor_of_another_shape_is_named(copy: Path) -> None:
    _rewrite(copy / WEIGHTS[0], lambda tensors: tensors | {"conv_in.bias": torch.zeros(5)})
    assert "has conv_in.bias of shape (5,), where its config.json asks for (16,)" in _refusal(copy)


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("unet/config.json", {"_class_name": "Flux"}, "is of class Flux"),
        ("vae/config.json", {"_class_name": "VQModel"}, "give one of AutoencoderDC"),
        ("text_encoder/config.json", {"architectures": ["T5"]}, "is of class T5"),
        ("unet/config.json", {"class_embed_type": "timestep"}, "asks for class_embed_type"),
        ("unet/config.json", {"block_out_channels": [16]}, "unet cannot be built"),
        ("unet/config.json", {"circular_edge": [{}]}, "circular_edge that is no layer"),
        ("unet/config.json", {"circular_edge": ["no.such"]}, "circular_edge that is no layer"),
        ("vae/config.json", {"in_channels": 4, "out_channels": 4}, "takes 4 and gives 4 picture"),
        ("vae/config.json", {"in_channels": 1}, "takes 1 and gives 3 picture"),
        (
            "scheduler/scheduler_config.json",
            {"prediction_type": "sample"},
            "predicts 'sample': known: epsilon, v_prediction",
        ),
        (
            "scheduler/scheduler_config.json",
            {"beta_schedule": "sigmoid"},
            "beta_schedule 'sigmoid' is not linear or scaled_linear",
        ),
        ("scheduler/scheduler_config.json", {"beta_end": "much"}, "gives no betas"),
        ("scheduler/scheduler_config.json", {"beta_end": 4}, "gives betas outside of 0 .. 1"),
        ("unet/config.json", {"addition_embed_type": "image"}, "asks for addition_embed_type"),
        ("model_index.json", {"text_encoder": [None, None]}, "is a StableDiffusionPipeline: give"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(
    copy: Path, name: str, changes: dict[str, Any], sentence: str
) -> None:
    _edit(copy / name, **changes)
    text = _refusal(copy)
    assert sentence in text and str(copy) in text


def test_zero_terminal_snr_is_read(copy: Path) -> None:
    before = load(copy, device="cpu").levels
    _edit(copy / "scheduler/scheduler_config.json", rescale_betas_zero_snr=True)
    after = load(copy, device="cpu").levels
    assert torch.equal(after.sigmas, before.zero_terminal().sigmas)
    assert before.sigma_max < 20 < 4000 < after.sigma_max


def test_an_index_without_a_unet_is_refused(copy: Path) -> None:
    (copy / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    assert "is a FluxPipeline: give one of the layout of Stable Diffusion" in _refusal(copy)


def test_parts_that_do_not_fit_are_refused(build: Any, copy: Path) -> None:
    shutil.rmtree(copy / "unet")
    build.unet(cross_attention_dim=48).save_pretrained(copy / "unet")
    assert "unet cross_attention_dim is 48 but the text encoders give 32" in _refusal(copy)
    shutil.rmtree(copy / "unet")
    build.unet(in_channels=5).save_pretrained(copy / "unet")
    assert "unet in_channels is 5 but vae latent_channels is 4" in _refusal(copy)


def test_a_tokenizer_with_more_words_than_the_encoder_is_refused(copy: Path) -> None:
    path = copy / "tokenizer/vocab.json"
    _edit(path, extra=9999)
    assert "the parts do not fit" in _refusal(copy)


def test_a_file_is_read_as_a_single_file(tmp_path: Path) -> None:
    (tmp_path / "model.ckpt").write_bytes(b"")
    assert "model.ckpt is a pickle" in _refusal(tmp_path / "model.ckpt")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert f"no folder {tmp_path / 'none'}" in _refusal(tmp_path / "none")
    with pytest.raises(ModelError, match="^no folder ./none: give a folder"):
        load("./none")


def test_a_hub_id_without_a_network_is_refused_in_a_sentence() -> None:
    with pytest.raises(ModelError) as refusal:
        fetch("owner/no-such-model-here")
    assert str(refusal.value).startswith("owner/no-such-model-here is no folder here, and the hub")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_a_hub_id_brings_the_files_that_are_read_and_no_more(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    """The hub is played by a folder: what matches the patterns asked for is copied from it."""
    hub = Path(shutil.copytree(folder, tmp_path / "hub"))
    for name in WEIGHTS:
        (hub / name).rename((hub / name).with_suffix(f"{variant}.safetensors"))
    for unread in (
        "v1.ckpt",
        "unet/diffusion_pytorch_model.bin",
        "safety_checker/model.safetensors",
    ):
        (hub / unread).parent.mkdir(exist_ok=True)
        (hub / unread).write_bytes(b"")
    cached = tmp_path / "models--owner--some-model" / "snapshots" / "0a1b2c"

    def snapshot_download(ref: str, allow_patterns: list[str]) -> str:
        assert ref == "owner/some-model"
        for path in filter(Path.is_file, hub.rglob("*")):
            relative = path.relative_to(hub)
            if any(fnmatch(str(relative), pattern) for pattern in allow_patterns):
                (cached / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, cached / relative)
        return str(cached)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    checkpoint = load("owner/some-model", device="cpu")
    assert checkpoint.name == "some-model"
    assert checkpoint.sha256 == load(folder, device="cpu").sha256
    names = {str(path.relative_to(cached)) for path in cached.rglob("*") if path.is_file()}
    assert not names & {"v1.ckpt", "unet/diffusion_pytorch_model.bin"}
    assert not any(name.startswith("safety_checker") for name in names)


def test_fp16_on_a_cpu_is_refused(folder: Path) -> None:
    with pytest.raises(RequestError, match="^fp16 on a CPU"):
        load(folder, device="cpu", dtype=torch.float16)


@pytest.mark.parametrize("device", ["abacus", "cuda:99", "xpu"])
def test_a_device_that_is_not_there_is_refused(folder: Path, device: str) -> None:
    with pytest.raises(MachineError, match=f"^the device '{device}' is not to be had"):
        load(folder, device=device)


def test_what_the_scheduler_s_file_does_not_say_is_diffusers_default(tmp_path: Path) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text("{}")
    levels, prediction = read_scheduler(path)
    expected = 1 - torch.cumprod(1 - torch.linspace(0.0001, 0.02, 1000, dtype=torch.float64), 0)
    torch.testing.assert_close(levels.sigmas**2 / (1 + levels.sigmas**2), expected)
    assert prediction == "epsilon"


def test_trained_betas_come_first(tmp_path: Path) -> None:
    path = tmp_path / "scheduler_config.json"
    path.write_text(json.dumps({"trained_betas": [0.1, 0.5]}))
    levels, _ = read_scheduler(path)
    assert levels.sigmas.tolist() == pytest.approx([(0.1 / 0.9) ** 0.5, (0.55 / 0.45) ** 0.5])
