"""Files of models are known by their headers: what they are, whether they are whole."""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from riffapp.errors import UsageError
from riffapp.studio import model_check
from riffapp.studio.checkpoints import EMBEDDED, Instrument
from riffapp.studio.model_check import check
from riffapp.studio.weight_files import Header, Kind, layout_of, read_header

FIRST = "model.diffusion_model.input_blocks.0.0.weight"
ATTENTION = "down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"

Shapes = Mapping[str, tuple[int, ...]]


def write(path: Path, shapes: Shapes, texts: Mapping[str, str] | None = None) -> Path:
    """A real safetensors file of zeros, half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: np.zeros(shape, np.float16) for name, shape in shapes.items()}
    save_file(tensors, path, metadata=dict(texts) if texts else None)
    return path


def header(shapes: Shapes, texts: Mapping[str, str] | None = None) -> Header:
    return Header(shapes=shapes, texts=texts or {}, bytes=0)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write(tmp_path / "Lora" / "cat.safetensors", {f"lora_unet_{ATTENTION}.alpha": (8, 8)})


# ---- headers


def test_a_header_gives_shapes_texts_and_size_without_the_tensors(tmp_path: Path) -> None:
    path = write(tmp_path / "a.safetensors", {"x": (2, 3), "y": (), "z": (0, 4)}, {"by": "me"})
    found = read_header(path)
    assert dict(found.shapes) == {"x": (2, 3), "y": (), "z": (0, 4)}
    assert dict(found.texts) == {"by": "me"}
    assert found.bytes == path.stat().st_size


def test_every_type_of_tensor_that_torch_writes_has_its_size(tmp_path: Path) -> None:
    from safetensors.torch import save_file as save_torch

    names = ("bool", "uint8", "int8", "int16", "float16", "bfloat16", "int32", "float32")
    names += ("int64", "float64", "float8_e4m3fn", "float8_e5m2", "complex64", "uint16", "uint64")
    tensors = {name: torch.zeros(3).to(getattr(torch, name)) for name in names}
    save_torch(tensors, tmp_path / "a.safetensors")
    assert set(read_header(tmp_path / "a.safetensors").shapes) == set(names)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_incomplete_with_its_bytes(whole: Path, share: float) -> None:
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * share)])
    size = f"{int(len(data) * share):,}"
    with pytest.raises(UsageError, match=f"cat.safetensors is incomplete: {size} of .* bytes"):
        read_header(whole)


def test_a_cut_off_end_tells_how_long_the_file_would_be(whole: Path) -> None:
    size = whole.stat().st_size
    whole.write_bytes(whole.read_bytes()[:-1])
    assert check(whole).words == (
        f"the file Lora/cat.safetensors is incomplete: {size - 1:,} of {size:,} bytes; "
        "download it again"
    )


def test_bytes_after_the_end_are_refused(whole: Path) -> None:
    whole.write_bytes(whole.read_bytes() + b"12345")
    with pytest.raises(UsageError, match="has 5 bytes after its end"):
        read_header(whole)


def raw(text: str | bytes, body: bytes = b"", length: int | None = None) -> bytes:
    head = text.encode() if isinstance(text, str) else text
    return (len(head) if length is None else length).to_bytes(8, "little") + head + body


def entry(**changes: Any) -> str:
    return json.dumps({"x": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]} | changes})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty: download it again"),
        (b"1234", "is no safetensors file, or damaged"),
        (raw("{}", length=2**63), "is no safetensors file, or damaged"),
        (raw("[" * 100_000), "has a damaged header"),
        (raw("[1, 2]"), "has a damaged header"),
        (raw("{not json}"), "has a damaged header"),
        (raw(b'{"\xff": 1}'), "has a damaged header"),
        (raw('{"x": 3}'), "has a damaged header"),
        (raw(entry(shape=[3]), b"1234"), "has a damaged header (tensors overlap"),
        (raw(entry(shape=[-2]), b"1234"), "has a damaged header (sizes that cannot be"),
        (raw(entry(shape=[1.5]), b"1234"), "has a damaged header"),
        (raw(entry(shape=[1] * 17), b"1234"), "has a damaged header"),
        (raw(entry(data_offsets=[4, 0]), b"1234"), "has a damaged header"),
        (raw(entry(data_offsets=[2, 6]), b"123456"), "has a damaged header"),
        (raw(entry(data_offsets=[0]), b"1234"), "has a damaged header"),
        (raw(entry(dtype="F3"), b"1234"), "numbers of a type that is not known, F3"),
        (raw(entry(dtype=["F16"]), b"1234"), "has a damaged header"),
        (raw(entry().replace("[0, 4]", "[0, 1e999]"), b"1234"), "has a damaged header"),
        (raw('{"__metadata__": 7}'), "has a damaged header"),
        (b"GGUF" + bytes(100), "is a GGUF file, which riffapp does not read"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 4265146304\n",
            "git-LFS pointer, which only stands for the file of 4,265,146,304 bytes",
        ),
        (b"\xef\xbb\xbf  <!DOCTYPE html><title>Log in</title>", "is a web page, such as a login"),
        (b"<html><body>404</body></html>", "is a web page, such as a login"),
        (b'{"error":"Repository not found"}', "is a web page, such as a login or an error"),
        (pickle.dumps({"a": 1}), "is a pickle or an archive under another name"),
        (b"PK\x03\x04" + bytes(60), "is a pickle or an archive under another name"),
    ],
)
def test_what_is_no_safetensors_file_is_said_in_one_sentence(
    tmp_path: Path, data: bytes, words: str
) -> None:
    path = tmp_path / "Lora" / "cat.safetensors"
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(UsageError, match=re.escape(words)) as refused:
        read_header(path)
    assert "Lora/cat.safetensors" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert check(path).ok is False


def test_the_library_takes_exactly_the_headers_that_we_take(tmp_path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    path = write(tmp_path / "a.safetensors", {"a": (3, 4), "b": (2,), "c": (0, 2)}, {"k": "v"})
    data, rng, taken = path.read_bytes(), np.random.default_rng(0), 0
    length = 8 + int.from_bytes(data[:8], "little")
    for _ in range(1000):
        broken = bytearray(data)
        broken[rng.integers(0, length)] = rng.integers(0, 256)
        path.write_bytes(broken)
        try:
            with safe_open(path, framework="np"):
                expected = True
        except SafetensorError:
            expected = False
        try:
            read_header(path)
            found = True
        except UsageError:
            found = False
        assert found is expected, bytes(broken[:length])
        taken += found
    assert 0 < taken < 1000


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.symlink_to("/nowhere")])
def test_a_file_that_is_not_there_is_said(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "cat.safetensors"
    make(path)
    assert "is no file, or a link to one that is gone" in check(path).words


# ---- layouts


def test_single_files_are_of_the_families_that_the_core_finds() -> None:
    from sdcore.models import single

    ours = {
        "sd1": "SD 1.x",
        "sd2": "SD 2.x",
        "sdxl": "SDXL",
        "sdxl-refiner": "SDXL refiner",
    }
    kinds = {4: "", 8: "to edit by instruction", 9: "for inpainting"}
    for towers in single._TOWERS.values():
        for channels, words in kinds.items():
            shapes = {FIRST: (320, channels, 3, 3)} | {f"{stem}x": (1,) for _, stem, _ in towers}
            tensors = {name: torch.empty(shape) for name, shape in shapes.items()}
            family, _ = single.recognised(tensors, Path("x"))
            found = layout_of(header(shapes))
            assert (found.kind, found.family, found.words) == ("checkpoint", ours[family], words)


def test_a_checkpoint_that_was_written_as_a_single_file_is_known(
    tmp_path: Path, instrument: Instrument
) -> None:
    from sdcore.models.single import write_single

    path = tmp_path / "tiny.safetensors"
    write_single(instrument.checkpoint, path)
    found = check(path, "checkpoint")
    assert found.ok is True
    assert found.words.startswith("whole: a checkpoint (SD 1.x), ")
    assert f"{path.stat().st_size:,} bytes" in found.words


LORAS: list[tuple[str, tuple[int, ...], str]] = [
    (f"lora_unet_{ATTENTION}.lora_down.weight", (4, 768), "SD 1.x"),
    (f"lora_unet_{ATTENTION}.lora_down.weight", (4, 1024), "SD 2.x"),
    (f"lora_unet_{ATTENTION}.lora_down.weight", (4, 2048), "SDXL"),
    (f"lora_unet_{ATTENTION}.lora_down.weight", (4, 1280), "SDXL refiner"),
    (f"lora_unet_{ATTENTION}.hada_w1_b", (4, 768), "SD 1.x"),
    ("unet.down_blocks.0.attn2.to_v.lora_A.weight", (4, 2048), "SDXL"),
    ("unet.down_blocks.0.attn2.to_v.lora.down.weight", (4, 768), "SD 1.x"),
    ("down_blocks.0.attn2.processor.to_k_lora.down.weight", (4, 768), "SD 1.x"),
    (f"lora_unet_{ATTENTION}.lora_down.weight", (4, 77), ""),
    (f"lora_unet_{ATTENTION}.lora_up.weight", (768, 4), ""),
]


@pytest.mark.parametrize(("name", "shape", "family"), LORAS)
def test_a_loras_family_is_told_by_the_width_of_the_words_it_reads(
    name: str, shape: tuple[int, ...], family: str
) -> None:
    found = layout_of(header({name: shape, "lora_te_x.alpha": ()}))
    assert (found.kind, found.family) == ("lora", family)


@pytest.mark.parametrize("part", ["up", "down", "mid"])
def test_each_name_that_the_core_has_for_parts_of_loras_is_a_loras(part: str) -> None:
    from sdcore.models.lora_kinds import PARTS

    names = [name for name, meant in PARTS.items() if meant == part]
    names += [name for name in PARTS if name.startswith(("hada_", "lokr_", "oft_"))]
    for name in names:
        found = layout_of(header({f"unet.some.layer.{name}": (4, 4), "other": (1,)}))
        assert found.kind == "lora", name


@pytest.mark.parametrize(
    ("texts", "family"),
    [
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "SDXL"),
        ({"ss_base_model_version": "sd_v1"}, "SD 1.x"),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v/lora"}, "SD 2.x"),
        ({"modelspec.architecture": "flux-1-dev/lora"}, ""),
        ({}, ""),
    ],
)
def test_where_no_width_tells_it_the_trainer_does(texts: dict[str, str], family: str) -> None:
    assert layout_of(header({"lora_te_x.lora_up.weight": (9, 4)}, texts)).family == family


def test_what_is_for_the_embedded_model_is_told_by_its_width() -> None:
    config = json.loads((EMBEDDED / "loops" / "unet" / "config.json").read_text())
    width = config["cross_attention_dim"]
    lora = {f"lora_unet_{ATTENTION}.lora_down.weight": (4, width)}
    assert layout_of(header(lora)).family == "embedded"
    assert layout_of(header({"emb_params": (2, width)})).family == "embedded"


OTHERS: list[tuple[Shapes, Kind, str]] = [
    ({"emb_params": (3, 768)}, "embedding", "SD 1.x"),
    ({"<cat>": (1024,)}, "embedding", "SD 2.x"),
    ({"clip_l": (2, 768), "clip_g": (2, 1280)}, "embedding", "SDXL"),
    ({"clip_g": (2, 1280)}, "embedding", "SDXL refiner"),
    ({"decoder.conv_in.weight": (512, 4, 3, 3), "x": (1,)}, "vae", "SD 1.x, 2.x or SDXL"),
    ({"first_stage_model.decoder.conv_in.weight": (512, 16, 3, 3), "x": (1,)}, "vae", ""),
    ({"conv_first.weight": (64, 3, 3, 3), "x": (1,)}, "upscaler", ""),
    ({"params_ema.body.0.weight": (64, 3, 3, 3), "x": (1,)}, "upscaler", ""),
    ({"stylegan_decoder.x": (1,), "conv_body_first.weight": (1,)}, "restorer", ""),
    ({"quantize.embedding.weight": (1024, 256), "position_emb": (256, 512)}, "restorer", ""),
]


@pytest.mark.parametrize(("shapes", "kind", "family"), OTHERS)
def test_other_kinds_are_told_by_their_names(shapes: Shapes, kind: Kind, family: str) -> None:
    found = layout_of(header(shapes))
    assert (found.kind, found.family) == (kind, family)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({FIRST: (320, 4, 3, 3)}, "a UNet without its text encoder: give a whole checkpoint"),
        ({"model.diffusion_model.double_blocks.0.x": (1,), "y": (1,)}, "of FLUX's kind"),
        ({"joint_blocks.0.x": (1,), "y": (1,)}, "of Stable Diffusion 3's kind"),
        ({"control_model.x": (1,), "y": (1,)}, "a ControlNet, which riffapp does not read"),
        ({"down_blocks.0.x": (1,), "y": (1,)}, "one network of a model that is a folder"),
        ({FIRST: (), "cond_stage_model.transformer.x": (1,)}, "of a layout that riffapp does not"),
        ({"b": (1,), "a" * 200: (1,)}, f"does not know (tensor '{'a' * 80}')"),
        ({}, "does not know (tensor 'none at all')"),
    ],
)
def test_what_cannot_be_used_alone_is_said(tmp_path: Path, shapes: Shapes, words: str) -> None:
    path = write(tmp_path / "x.safetensors", shapes)
    found = check(path)
    assert found.ok is False
    assert words in found.words


# ---- checks


def test_a_file_among_another_kind_is_sent_to_its_own_folder(whole: Path) -> None:
    assert check(whole, "lora").ok is True
    assert check(whole, "checkpoint").words == (
        "Lora/cat.safetensors is a LoRA, not a checkpoint: move it to the folder of its kind"
    )


@pytest.mark.parametrize("kind", ["upscaler", "restorer", "preview", "voice"])
def test_networks_that_only_show_when_they_are_loaded_pass(tmp_path: Path, kind: Kind) -> None:
    path = write(tmp_path / "x.safetensors", {"a": (2,), "b": (2,)})
    assert check(path, kind).ok is True
    assert check(path, "checkpoint").ok is False


@dataclass
class Trap:
    """Unpickled, it touches a file."""

    path: str

    def __reduce__(self) -> tuple[Any, ...]:
        return (open, (self.path, "w"))


@pytest.mark.parametrize("name", ["x.ckpt", "x.pt", "x.pth", "x.bin", "x.safetensors"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_told_apart_and_never_opened(tmp_path: Path, name: str, zipped: bool) -> None:
    trap, path = tmp_path / "sprung", tmp_path / name
    if zipped:
        torch.save({"x": Trap(str(trap))}, path)
    else:
        path.write_bytes(pickle.dumps(Trap(str(trap))))
    found = check(path, "checkpoint")
    assert found.ok is False
    assert "pickle" in found.words
    assert not trap.exists()


def test_a_pickle_of_a_kind_whose_tensors_are_read_is_a_remark(tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(2)}, tmp_path / "x.pth")
    found = check(tmp_path / "x.pth", "upscaler")
    assert found.ok is None
    assert "a pickle, which can run code when it is read: only its tensors are" in found.words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<html>log in</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\nsize 7\n", "is a git-LFS pointer"),
        (b"something", "is neither a pickle nor anything known"),
        (b"", "is empty"),
    ],
)
def test_what_only_bears_a_pickles_name_is_said(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "x.pth").write_bytes(data)
    found = check(tmp_path / "x.pth", "upscaler")
    assert found.ok is False
    assert words in found.words


def test_a_pickle_that_was_cut_off_is_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"x": torch.zeros(2000)}, path)
    assert zipfile.is_zipfile(path)
    path.write_bytes(path.read_bytes()[:-400])
    assert "x.pth is incomplete: its end is missing" in check(path, "upscaler").words


def test_another_ending_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("hello")
    assert "x.txt is no model's file: give a .safetensors file or a folder" in (
        check(tmp_path / "x.txt").words
    )


def test_a_folder_in_diffusers_layout_is_checked_part_by_part(tiny: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "own"
    shutil.copytree(tiny, folder)
    assert check(folder).words.startswith("whole: a checkpoint, 3 networks, ")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1])
    assert "unet/diffusion_pytorch_model.safetensors is incomplete" in check(folder).words
    weights.unlink()
    assert "diffusion_pytorch_model.safetensors is missing" in check(folder).words
    weights.write_bytes(data)
    for missing in ("vae/config.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json"):
        (folder / missing).rename(tmp_path / "away")
        assert f"own/{missing} is missing: copy the folder again" == check(folder).words
        (tmp_path / "away").rename(folder / missing)
    assert check(folder).ok is True
    (folder / "model_index.json").write_text("no json")
    assert "model_index.json cannot be read as JSON" in check(folder).words


def test_the_embedded_checkpoint_passes() -> None:
    assert check(EMBEDDED / "loops", "checkpoint").ok is True


def test_a_vae_in_a_folder_is_checked(tiny: Path, tmp_path: Path) -> None:
    assert check(tiny / "vae", "vae").words.startswith("whole: a VAE, 1 networks, ")
    assert "neither model_index.json nor config.json" in check(tmp_path, "vae").words


def test_a_voice_is_a_folder_of_configuration_and_weights(tmp_path: Path) -> None:
    folder = tmp_path / "anna"
    folder.mkdir()
    assert "anna has no config.json" in check(folder, "voice").words
    (folder / "config.json").write_text("{}")
    assert "anna has no weights" in check(folder, "voice").words
    write(folder / "model.safetensors", {"a": (2,), "b": (2,)})
    assert check(folder, "voice").ok is True
    torch.save({"x": torch.zeros(2)}, folder / "vocoder.pth")
    assert check(folder, "voice").ok is None


def test_the_parts_of_a_checkpoint_are_those_that_recipes_hash(
    tiny: Path, instrument: Instrument
) -> None:
    from sdcore.models.files import sha256

    assert sha256(model_check.parts(tiny)) == instrument.checkpoint.sha256
