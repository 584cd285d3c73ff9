"""LoRAs are put on a checkpoint as their papers say, and taken off without a trace."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sdcore.errors import ModelError
from sdcore.models.checkpoint import Checkpoint
from sdcore.models.layout import unet_name
from sdcore.models.load import load
from sdcore.models.lora import Applied, Lora, applied, read_lora

Folders = Callable[[str, str], Path]
LINEAR = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
SQUARE = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
CONV = "down_blocks.0.resnets.0.conv1"
TEXT = "encoder.layers.1.mlp.fc1"


@pytest.fixture(scope="module")
def small(family_folder: Folders) -> dict[str, Checkpoint]:
    return {
        family: load(family_folder(family, "text"), device="cpu", dtype=torch.float32)
        for family in ("sd1", "sdxl", "sdxl-refiner")
    }


def _networks(checkpoint: Checkpoint) -> Iterator[torch.nn.Module]:
    yield from (checkpoint.unet, *(tower.encoder for tower in checkpoint.towers))


def _state(checkpoint: Checkpoint) -> list[Tensor]:
    return [t.clone() for network in _networks(checkpoint) for t in network.state_dict().values()]


def _layer(checkpoint: Checkpoint, name: str) -> Any:
    return checkpoint.unet.get_submodule(name)


def _written(place: Path, tensors: dict[str, Tensor], **header: str) -> Lora:
    path = place / "small.safetensors"
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata=header)
    return read_lora(path)


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _kohya(name: str) -> str:
    return f"lora_unet_{name.replace('.', '_')}"


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, atol=1e-5, rtol=1e-5)


def _delta(checkpoint: Checkpoint, lora: Lora, name: str, *, strength: float = 1.0) -> Tensor:
    """What the LoRA adds to the UNet's layer."""
    before = _layer(checkpoint, name).weight.clone()
    with applied(checkpoint, [(lora, 0.0, strength)]):
        after: Tensor = _layer(checkpoint, name).weight.clone()
    return after - before


def test_a_lora_of_a_matrix_adds_up_times_down_by_alpha_over_rank(
    small: dict[str, Checkpoint], tmp_path: Path
) -> None:
    rows, columns = _layer(small["sd1"], LINEAR).weight.shape
    up, down = _random(rows, 3), _random(3, columns, seed=1)
    stem = _kohya(LINEAR)
    lora = _written(
        tmp_path,
        {
            f"{stem}.lora_up.weight": up,
            f"{stem}.lora_down.weight": down,
            f"{stem}.alpha": torch.tensor(6.0),
        },
    )
    assert _close(_delta(small["sd1"], lora, LINEAR, strength=0.25), 0.25 * 2 * up @ down)


def test_a_lora_of_a_convolution_is_its_convolutions_one_after_another(
    small: dict[str, Checkpoint], tmp_path: Path
) -> None:
    out, into = _layer(small["sd1"], CONV).weight.shape[:2]
    down, up = _random(3, into, 1, 1), _random(out, 2, 1, 1, seed=1)
    mid, wide = _random(2, 3, 3, 3, seed=2), _random(2, into, 3, 3, seed=3)
    x = _random(1, into, 8, 8, seed=4) / 64
    stem, conv = _kohya(CONV), torch.nn.functional.conv2d
    tucker = {"lora_up.weight": up, "lora_down.weight": down, "lora_mid.weight": mid}
    lora = _written(tmp_path, {f"{stem}.{k}": v for k, v in tucker.items()})
    wanted = conv(conv(conv(x, down), mid, padding=1), up)
    assert _close(conv(x, _delta(small["sd1"], lora, CONV), padding=1), wanted)
    plain = {"lora_up.weight": up, "lora_down.weight": wide}
    lora = _written(tmp_path, {f"{stem}.{k}": v for k, v in plain.items()})
    wanted = conv(conv(x, wide, padding=1), up)
    assert _close(conv(x, _delta(small["sd1"], lora, CONV), padding=1), wanted)


def _tucker(core: Tensor, out: Tensor, into: Tensor) -> Tensor:
    """Place by place: the sum over i, j of core[i, j] out[i, o] into[j, c]."""
    summed = torch.zeros(out.shape[1], into.shape[1], *core.shape[2:])
    for i in range(core.shape[0]):
        for j in range(core.shape[1]):
            summed += core[i, j] * (out[i][:, None] * into[j])[..., None, None]
    return summed


def test_the_kinds_of_lycoris_are_what_their_papers_say(
    small: dict[str, Checkpoint], tmp_path: Path
) -> None:
    weight = _layer(small["sd1"], LINEAR).weight.clone()
    rows, columns = weight.shape
    a, b, c, d = (
        _random(rows, 2),
        _random(2, columns, seed=1),
        _random(rows, 2),
        _random(2, columns),
    )
    numbers = {"rows": _random(rows), "columns": _random(columns)}
    whole, square = _random(rows, columns), _random(columns, 2)
    half = torch.tensor(1.0)  # alpha / rank at rank 2
    k1, k2 = _random(4, 2), _random(rows // 4, columns // 2, seed=3)
    k2a, k2b = _random(rows // 4, 2), _random(2, columns // 2, seed=4)
    kinds: list[tuple[dict[str, Tensor], Tensor]] = [
        ({"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d}, (a @ b) * (c @ d)),
        (
            {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d, "alpha": half},
            (a @ b) * (c @ d) / 2,
        ),
        ({"lokr_w1": k1, "lokr_w2": k2, "alpha": half}, torch.kron(k1, k2)),
        (
            {"lokr_w1": k1, "lokr_w2_a": k2a, "lokr_w2_b": k2b, "alpha": half},
            torch.kron(k1, k2a @ k2b) / 2,
        ),
        ({"weight": numbers["rows"]}, weight * numbers["rows"][:, None]),
        (
            {"weight": numbers["columns"], "on_input": torch.tensor(True)},
            weight * numbers["columns"],
        ),
        ({"diff": whole}, whole),
        (
            {"a1.weight": square, "a2.weight": d, "b1.weight": a, "b2.weight": b},
            weight @ square @ d + a @ b,
        ),
        (
            {"a2.weight": square, "a1.weight": d, "b2.weight": a, "b1.weight": b},
            weight @ square @ d + a @ b,
        ),
    ]
    for parts, wanted in kinds:
        lora = _written(tmp_path, {f"{_kohya(LINEAR)}.{k}": v for k, v in parts.items()})
        assert _close(_delta(small["sd1"], lora, LINEAR), wanted), list(parts)


def test_the_kinds_of_lycoris_with_a_core_are_sums_over_it(
    small: dict[str, Checkpoint], tmp_path: Path
) -> None:
    out, into = _layer(small["sd1"], CONV).weight.shape[:2]
    t1, t2 = _random(2, 2, 3, 3), _random(2, 2, 3, 3, seed=1)
    a, b, c, d = (
        _random(2, out),
        _random(2, into),
        _random(2, out, seed=2),
        _random(2, into, seed=3),
    )
    parts = {"t1": t1, "w1_a": a, "w1_b": b, "t2": t2, "w2_a": c, "w2_b": d}
    lora = _written(tmp_path, {f"{_kohya(CONV)}.hada_{k}": v for k, v in parts.items()})
    assert _close(_delta(small["sd1"], lora, CONV), _tucker(t1, a, b) * _tucker(t2, c, d))
    w1, wa, wb = _random(2, 2), _random(2, out // 2), _random(2, into // 2, seed=1)
    parts = {"w1": w1, "t2": t1, "w2_a": wa, "w2_b": wb}
    lora = _written(tmp_path, {f"{_kohya(CONV)}.lokr_{k}": v for k, v in parts.items()})
    wanted = torch.kron(w1[..., None, None], _tucker(t1, wa, wb))
    assert _close(_delta(small["sd1"], lora, CONV), wanted)


def test_an_orthogonal_change_keeps_every_column_s_norm_and_is_bounded(
    small: dict[str, Checkpoint], tmp_path: Path
) -> None:
    weight = _layer(small["sd1"], SQUARE).weight.clone()
    blocks = _random(4, weight.shape[0] // 4, weight.shape[0] // 4)
    stem = _kohya(SQUARE)
    lora = _written(tmp_path, {f"{stem}.oft_blocks": blocks, f"{stem}.alpha": torch.tensor(0.0)})
    free = _delta(small["sd1"], lora, SQUARE)
    assert _close((weight + free).norm(dim=0), weight.norm(dim=0)) and float(free.norm()) > 0.1
    tight = {f"{stem}.oft_blocks": blocks, f"{stem}.alpha": torch.tensor(1e-4)}
    bounded = _delta(small["sd1"], _written(tmp_path, tight), SQUARE)
    # R - 1 is 2 Q for a small Q, whose norm is bounded by alpha times the rows
    bound = 2 * 1e-4 * len(weight) * float(torch.linalg.matrix_norm(weight, 2))
    assert 0 < float(bounded.norm()) < 1.05 * bound


@pytest.mark.parametrize("rows", [True, False])
def test_a_magnitude_sets_the_norms_of_rows_or_columns(
    small: dict[str, Checkpoint], tmp_path: Path, rows: bool
) -> None:
    weight = _layer(small["sd1"], LINEAR).weight.clone()
    up, down = _random(len(weight), 2), _random(2, weight.shape[1], seed=1)
    axis = 1 if rows else 0
    norms = _random(*(weight.shape[0], 1) if rows else (1, weight.shape[1])).abs() + 1
    parts = {"lora_up.weight": up, "lora_down.weight": down, "dora_scale": norms}
    lora = _written(tmp_path, {f"{_kohya(LINEAR)}.{k}": v for k, v in parts.items()})
    turned = weight + up @ down
    wanted = turned / turned.norm(dim=axis, keepdim=True) * norms - weight
    assert _close(_delta(small["sd1"], lora, LINEAR), wanted)
    assert _close(_delta(small["sd1"], lora, LINEAR, strength=0.5), wanted / 2)


def test_norms_and_biases_are_changed_too(small: dict[str, Checkpoint], tmp_path: Path) -> None:
    norm = _layer(small["sd1"], "down_blocks.0.resnets.0.norm1")
    conv = _layer(small["sd1"], CONV)
    before = [t.clone() for t in (norm.weight, norm.bias, conv.weight, conv.bias)]
    added = [_random(*t.shape, seed=i) for i, t in enumerate(before)]
    stem = "lora_unet_down_blocks_0_resnets_0_"
    names = ("norm1.w_norm", "norm1.b_norm", "conv1.diff", "conv1.diff_b")
    lora = _written(
        tmp_path, {f"{stem}{name}": value for name, value in zip(names, added, strict=True)}
    )
    with applied(small["sd1"], [(lora, 0.0, 0.5)]) as on:
        assert on.unmatched == ()
        after = (norm.weight, norm.bias, conv.weight, conv.bias)
        for old, new, change in zip(before, after, added, strict=True):
            assert _close(new, old + change / 2)


def _everywhere(checkpoint: Checkpoint, *, seed: int = 0) -> dict[str, dict[str, Tensor]]:
    """up and down of rank 2 for layers of every network, by network and module."""
    found: dict[str, dict[str, Tensor]] = {}
    roots = {"unet": checkpoint.unet}
    second = checkpoint.family == "sdxl-refiner"
    for place, tower in enumerate(checkpoint.towers, start=1 + second):
        roots["text_encoder" if place == 1 else "text_encoder_2"] = tower.encoder
    for root, network in roots.items():
        for name, module in network.named_modules():
            picked = name.endswith(("to_q", "to_out.0", "q_proj", "out_proj", "fc1", "conv1"))
            if not picked:
                continue
            down = _random(2, *module.weight.shape[1:], seed=seed) / 8
            up = _random(len(module.weight), 2, *(1,) * (module.weight.ndim - 2), seed=seed + 1) / 8
            found[f"{root}.{name}"] = {"up": up, "down": down}
    return found


def _as_diffusers(layers: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    named = {"up": "lora_B", "down": "lora_A"}
    return {f"{s}.{named[p]}.weight": t for s, parts in layers.items() for p, t in parts.items()}


def _as_kohya(checkpoint: Checkpoint, layers: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    xl = checkpoint.family != "sd1"
    stems = {"unet": "unet", "text_encoder": "te1" if xl else "te", "text_encoder_2": "te2"}
    out = {}
    for stem, parts in layers.items():
        root, _, name = stem.partition(".")
        if root == "unet" and xl:
            name = unet_name(name, checkpoint.unet.config)
        elif root != "unet":
            name = f"text_model.{name.removeprefix('text_model.')}"
        for part, tensor in parts.items():
            out[f"lora_{stems[root]}_{name.replace('.', '_')}.lora_{part}.weight"] = tensor
    return out


@pytest.mark.parametrize("family", ["sd1", "sdxl", "sdxl-refiner"])
def test_kohya_s_file_and_diffusers_of_the_same_changes_are_the_same(
    small: dict[str, Checkpoint], tmp_path: Path, family: str
) -> None:
    checkpoint = small[family]
    layers = _everywhere(checkpoint)
    assert len({stem.split(".")[0] for stem in layers}) == 1 + len(checkpoint.towers)
    before, states = _state(checkpoint), []
    for tensors in (_as_diffusers(layers), _as_kohya(checkpoint, layers)):
        with applied(checkpoint, [(_written(tmp_path, tensors), 0.7, 0.4)]) as on:
            assert on.unmatched == ()
            states.append(_state(checkpoint))
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))
    changed = sum(not torch.equal(a, b) for a, b in zip(before, states[0], strict=True))
    assert changed == len(layers)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_diffusers_renames_kohya_s_keys_to_the_layers_that_ours_change(
    small: dict[str, Checkpoint], tmp_path: Path, family: str
) -> None:
    from diffusers.loaders.lora_conversion_utils import (
        _convert_non_diffusers_lora_to_diffusers,
        _maybe_map_sgm_blocks_to_diffusers,
    )

    checkpoint = small[family]
    layers = {k: v for k, v in _everywhere(checkpoint).items() if "fc1" not in k}
    kohya = _as_kohya(checkpoint, layers)
    theirs = dict(kohya)
    if family == "sdxl":
        theirs = _maybe_map_sgm_blocks_to_diffusers(theirs, checkpoint.unet.config)
    theirs, _ = _convert_non_diffusers_lora_to_diffusers(theirs)
    states = []
    for tensors in (kohya, theirs):
        with applied(checkpoint, [(_written(tmp_path, tensors), 1.0, 1.0)]) as on:
            assert on.unmatched == ()
            states.append(_state(checkpoint))
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_peft_in_diffusers_pipeline_gives_the_same_weights(
    small: dict[str, Checkpoint], family_folder: Folders, tmp_path: Path, family: str
) -> None:
    pytest.importorskip("peft", reason="the oracle needs peft")
    import diffusers

    checkpoint = small[family]
    layers = _everywhere(checkpoint)
    tensors = _as_diffusers(layers)
    lora = _written(tmp_path, tensors)
    pipeline = diffusers.DiffusionPipeline.from_pretrained(family_folder(family, "text"))
    pipeline.load_lora_weights(tensors)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    theirs = [pipeline.unet, pipeline.text_encoder, getattr(pipeline, "text_encoder_2", None)]
    with applied(checkpoint, [(lora, 1.0, 1.0)]):
        for ours, other in zip(_networks(checkpoint), theirs, strict=False):
            wanted = other.state_dict()
            for name, tensor in ours.state_dict().items():
                assert _close(tensor, wanted[name]), name


@pytest.mark.parametrize(("pattern", "alpha"), [({}, 4.0), ({"attn1.to_q": 8.0}, 8.0)])
def test_peft_s_alpha_stands_in_the_header(
    small: dict[str, Checkpoint], tmp_path: Path, pattern: dict[str, float], alpha: float
) -> None:
    rows, columns = _layer(small["sd1"], SQUARE).weight.shape
    up, down = _random(rows, 4), _random(4, columns, seed=1)
    tensors = {f"unet.{SQUARE}.lora_A.weight": down, f"unet.{SQUARE}.lora_B.weight": up}
    settings = {"unet.lora_alpha": 4.0, "unet.alpha_pattern": pattern}
    header = json.dumps(settings)
    lora = _written(tmp_path, tensors, lora_adapter_metadata=header)
    assert _close(_delta(small["sd1"], lora, SQUARE), alpha / 4 * up @ down)
    header = json.dumps(settings | {"unet.use_rslora": True})
    lora = _written(tmp_path, tensors, lora_adapter_metadata=header)
    assert _close(_delta(small["sd1"], lora, SQUARE), alpha / 2 * up @ down)


def test_names_of_2023_are_read(small: dict[str, Checkpoint], tmp_path: Path) -> None:
    unet, text = SQUARE.removesuffix("to_q"), "text_encoder.text_model.encoder.layers.0.self_attn"
    tensors = {}
    for stem in (f"unet.{unet}processor.to_q", f"unet.{unet}processor.to_out", f"{text}.to_out"):
        tensors |= {f"{stem}_lora.up.weight": _random(32, 2)}
        tensors |= {f"{stem}_lora.down.weight": _random(2, 32)}
    with applied(small["sd1"], [(_written(tmp_path, tensors), 1.0, 1.0)]) as on:
        assert on.unmatched == ()


def test_the_weights_are_bit_for_bit_restored_though_the_run_fails(
    small: dict[str, Checkpoint], tmp_path: Path
) -> None:
    checkpoint = small["sd1"]
    before = _state(checkpoint)
    lora = _written(tmp_path, _as_kohya(checkpoint, _everywhere(checkpoint)))
    with pytest.raises(KeyboardInterrupt), applied(checkpoint, [(lora, 1.3, 0.7)] * 3) as on:
        on.set([(0.1, 0.2), (0.0, 0.0), (-3.0, 1e6)])
        raise KeyboardInterrupt
    assert all(torch.equal(a, b) for a, b in zip(before, _state(checkpoint), strict=True))


def test_a_bf16_network_is_changed_in_fp32_and_restored_exactly(
    family_folder: Folders, tmp_path: Path
) -> None:
    checkpoint = load(family_folder("sd1", "text"), device="cpu", dtype=torch.bfloat16)
    before = _state(checkpoint)
    weight = _layer(checkpoint, SQUARE).weight.clone()
    up, down = _random(len(weight), 2), _random(2, weight.shape[1], seed=1)
    stem = _kohya(SQUARE)
    lora = _written(
        tmp_path, {f"{stem}.lora_up.weight": up, f"{stem}.lora_down.weight": down.half()}
    )
    with applied(checkpoint, [(lora, 1.0, 0.3)]):
        wanted = (weight.float() + 0.3 * (up @ down.half().float())).bfloat16()
        assert torch.equal(_layer(checkpoint, SQUARE).weight, wanted)
    assert all(torch.equal(a, b) for a, b in zip(before, _state(checkpoint), strict=True))


def test_several_loras_add_up(small: dict[str, Checkpoint], tmp_path: Path) -> None:
    checkpoint = small["sdxl"]
    before = _state(checkpoint)
    loras = [
        _written(tmp_path, _as_diffusers(_everywhere(checkpoint, seed=seed))) for seed in (0, 7)
    ]
    alone = []
    for lora, strength in zip(loras, (0.5, -0.25), strict=True):
        with applied(checkpoint, [(lora, strength, strength)]):
            alone.append(_state(checkpoint))
    with applied(checkpoint, [(loras[0], 0.5, 0.5), (loras[1], -0.25, -0.25)]):
        both = _state(checkpoint)
    for start, first, second, sum_ in zip(before, *alone, both, strict=True):
        assert _close(sum_, first + second - start)


def test_text_encoders_and_unet_have_strengths_of_their_own(
    small: dict[str, Checkpoint], tmp_path: Path
) -> None:
    checkpoint = small["sdxl"]
    before = [n.state_dict() for n in _networks(checkpoint)]
    before = [{k: v.clone() for k, v in state.items()} for state in before]
    lora = _written(tmp_path, _as_diffusers(_everywhere(checkpoint)))
    for text, unet in ((1.0, 0.0), (0.0, 1.0)):
        with applied(checkpoint, [(lora, text, unet)]):
            changed = [
                any(not torch.equal(old[k], v) for k, v in network.state_dict().items())
                for old, network in zip(before, _networks(checkpoint), strict=True)
            ]
        assert changed == [bool(unet), bool(text), bool(text)]


def test_a_schedule_computes_only_what_changes(
    small: dict[str, Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sdcore.models import lora as module

    checkpoint, computed = small["sd1"], []
    layers = _everywhere(checkpoint)
    lora = _written(tmp_path, _as_diffusers(layers))
    compute = module.weight_change

    def counted(*args: Any) -> Tensor:
        computed.append(args)
        return compute(*args)

    with applied(checkpoint, [(lora, 1.0, 1.0)]) as on:
        monkeypatch.setattr(module, "weight_change", counted)
        on.set([(1.0, 1.0)])
        assert computed == []
        on.set([(1.0, 0.5)])
        assert len(computed) == sum(stem.startswith("unet.") for stem in layers)
        computed.clear()
        halfway = _state(checkpoint)
        on.set([(0.0, 0.0)])
        assert computed == []
        on.set([(1.0, 0.5)])
        assert all(torch.equal(a, b) for a, b in zip(halfway, _state(checkpoint), strict=True))
        with pytest.raises(ValueError, match="2 strengths for 1"):
            on.set([(1.0, 1.0)] * 2)


def test_what_finds_no_place_is_reported_by_its_keys(
    small: dict[str, Checkpoint], tmp_path: Path
) -> None:
    rows, columns = _layer(small["sd1"], LINEAR).weight.shape
    good = {"lora_up.weight": _random(rows, 2), "lora_down.weight": _random(2, columns)}
    tensors = {f"{_kohya(LINEAR)}.{k}": v for k, v in good.items()} | {
        "lora_unet_nowhere.lora_up.weight": _random(2, 2),
        "lora_unet_nowhere.alpha": torch.tensor(1.0),
        "bundle_emb.cat.string_to_param.*": _random(1, 32),
        f"{_kohya(SQUARE)}.diff_b": _random(32),  # which has no bias
    }
    with applied(small["sd1"], [(_written(tmp_path, tensors), 1.0, 1.0)]) as on:
        assert sorted(on.unmatched) == [
            "small: bundle_emb.cat.string_to_param.*",
            f"small: {_kohya(SQUARE)}.diff_b",
            "small: lora_unet_nowhere.alpha",
            "small: lora_unet_nowhere.lora_up.weight",
        ]


@pytest.mark.parametrize(
    ("width", "family"),
    [(768, "sd1"), (1024, "sd2"), (2048, "sdxl"), (1280, "sdxl-refiner"), (99, "another family")],
)
def test_a_lora_of_another_family_is_refused_with_the_one_that_it_fits(
    small: dict[str, Checkpoint], tmp_path: Path, width: int, family: str
) -> None:
    before = _state(small["sd1"])
    stem = _kohya(LINEAR)
    tensors = {f"{stem}.lora_up.weight": _random(32, 2)}
    tensors |= {f"{stem}.lora_down.weight": _random(2, width)}
    lora = _written(tmp_path, tensors)
    with pytest.raises(ModelError, match=rf"'small' does not fit .* it was made for {family};"):
        Applied(small["sd1"], [lora])
    assert all(torch.equal(a, b) for a, b in zip(before, _state(small["sd1"]), strict=True))


def test_a_lora_of_which_nothing_is_there_is_refused(
    small: dict[str, Checkpoint], tmp_path: Path
) -> None:
    tensors = {"transformer.x.lora_A.weight": _random(2, 8)}
    tensors |= {"transformer.x.lora_B.weight": _random(8, 2)}
    lora = _written(tmp_path, tensors)
    with pytest.raises(ModelError, match="none of its layers is there"):
        Applied(small["sd1"], [lora])


def test_an_inpainting_checkpoint_takes_a_change_of_the_first_four_channels(
    family_folder: Folders, tmp_path: Path
) -> None:
    checkpoint = load(family_folder("sd1", "inpaint"), device="cpu", dtype=torch.float32)
    whole = _random(*checkpoint.unet.conv_in.weight[:, :4].shape)
    lora = _written(tmp_path, {"lora_unet_conv_in.diff": whole})
    delta = _delta(checkpoint, lora, "conv_in")
    assert _close(delta[:, :4], whole) and not delta[:, 4:].any()


def test_a_file_without_changes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no LoRA"):
        _written(tmp_path, {"emb_params": _random(1, 32)})


def test_a_pickle_is_read_only_if_it_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    torch.save({"lora_unet_x.diff": _random(2, 2)}, path)
    with pytest.raises(ModelError, match="is a pickle"):
        read_lora(path)
    lora = read_lora(path, allow_pickle=True)
    assert lora.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_hash_is_of_the_tensors_alone_or_the_trainer_s(tmp_path: Path) -> None:
    tensors = {"lora_unet_x.diff": torch.arange(4.0).reshape(2, 2)}
    wanted = hashlib.sha256(torch.arange(4.0).numpy().tobytes()).hexdigest()
    for header in ({}, {"ss_note": "edited"}):
        assert _written(tmp_path, tensors, **header).sha256 == wanted
    assert _written(tmp_path, tensors).hash == wanted[:12]
    assert _written(tmp_path, tensors, sshs_model_hash="ab" * 32).hash == "ab" * 6
