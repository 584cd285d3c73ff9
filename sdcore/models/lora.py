"""LoRAs: files of small changes to a checkpoint's weights, and a checkpoint with some on it.

    with applied(checkpoint, [(read_lora(path), 1.0, 0.8)]) as on:   # text encoders, UNet
        ...
        on.set([(1.0, 0.2)])   # from here on weaker: a schedule sets this at each step

The weights themselves are changed, so nothing costs time while the networks run, and afterwards
they are copied back from where they were kept, bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from sdcore.errors import ModelError
from sdcore.models.checkpoint import Checkpoint, Family
from sdcore.models.files import sha256
from sdcore.models.layout import unet_name
from sdcore.models.lora_kinds import PARTS, Change, Kind, kind_of, weight_change
from sdcore.models.single import read_tensors

_PART = re.compile(rf"(.+?)\.({'|'.join(map(re.escape, PARTS))})")
# diffusers' names of 2023: attn1.processor.to_q_lora.down.weight, self_attn.to_q_lora ...
_OLD = re.compile(r"(.+?)\.(?:processor\.)?(to_[qkv]|to_out)_lora(\..+)")
_OLD_TEXT = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
# What diffusers writes of peft's settings.
_SETTINGS = "lora_adapter_metadata"
# The width of the words that attention reads tells families apart.
_WIDTHS: dict[int, Family] = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl-refiner"}
_READS_WORDS = re.compile(r"unet.*attn2[._]to_[kv]$")


@dataclass(frozen=True, kw_only=True, eq=False)
class Lora:
    """A file of changes, not yet for any checkpoint."""

    name: str
    # By the layer's name as the file has it.
    changes: Mapping[str, Change] = field(repr=False)
    # Keys of the file that are of no kind known.
    unread: tuple[str, ...] = ()
    # Of the tensors alone (AutoV3), as headers written by trainers have it: it stays the same
    # where somebody edits the header. Of a pickle, of the whole file.
    sha256: str = ""

    @property
    def hash(self) -> str:
        """The 12 digits that "Lora hashes" shows."""
        return self.sha256[:12]

    @property
    def family(self) -> Family | None:
        """The family that it was made for, by the widths of its layers; None is unknown."""
        for stem, change in self.changes.items():
            if _READS_WORDS.search(stem) and "down" in change.tensors:
                return _WIDTHS.get(change.tensors["down"].shape[1])
        return None


def read_lora(path: Path, *, allow_pickle: bool = False) -> Lora:
    """The changes in a file: kohya's LoRA and LyCORIS, or diffusers' and peft's.

    Args:
        allow_pickle: whether a .pt or .ckpt is read too, its tensors only.
    Raises:
        ModelError: a file that is broken, or holds no change that is known.
    """
    tensors = read_tensors(path, allow_pickle=allow_pickle)
    header = _header(path)
    settings = json.loads(header.get(_SETTINGS, "{}"))
    parts: dict[str, dict[str, str]] = {}
    unread = []
    for key in tensors:
        found = _PART.fullmatch(_today(key))
        if found is None:
            unread.append(key)
        else:
            parts.setdefault(found[1], {})[PARTS[found[2]]] = key
    changes = {}
    for stem, keys in parts.items():
        change = _change(stem, {part: tensors[key] for part, key in keys.items()}, settings)
        change = replace(change, keys=tuple(keys.values()))
        if kind_of(change) is None and "diff_b" not in change.tensors:
            unread += change.keys
        else:
            changes[stem] = change
    if not changes:
        raise ModelError(
            f"{path} holds no LoRA: give a file of kohya's, LyCORIS's or diffusers' layout"
        )
    digest = header.get("sshs_model_hash") or _tensors_sha256(path)
    return Lora(name=path.stem, changes=changes, unread=tuple(unread), sha256=digest)


def _today(key: str) -> str:
    """The key with diffusers' names of 2023 as today's."""
    old = _OLD.fullmatch(key)
    if old is None:
        return key
    text = key.startswith("text_encoder")
    layer = _OLD_TEXT[old[2]] if text else old[2] + (".0" if old[2] == "to_out" else "")
    return f"{old[1]}.{layer}.lora{old[3]}"


def _header(path: Path) -> dict[str, str]:
    if path.suffix != ".safetensors":
        return {}
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def _tensors_sha256(path: Path) -> str:
    """The sha256 of a safetensors file's bytes after the header, or of another file's all."""
    if path.suffix != ".safetensors":
        return sha256([path])
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _change(stem: str, parts: dict[str, Tensor], settings: Mapping[str, Any]) -> Change:
    """The change of one layer; settings: peft's, by network."""
    given, on_input = parts.pop("alpha", None), parts.pop("on_input", None)
    network, _, layer = stem.partition(".")
    alpha = None if given is None else float(given)
    if alpha is None and f"{network}.lora_alpha" in settings:
        patterns = settings.get(f"{network}.alpha_pattern") or {}
        own = [a for pattern, a in patterns.items() if re.fullmatch(rf"(.*\.)?{pattern}", layer)]
        alpha = float((own or [settings[f"{network}.lora_alpha"]])[0])
    return Change(
        tensors=parts,
        keys=(),
        alpha=alpha,
        by_root=bool(settings.get(f"{network}.use_rslora")),
        on_input=on_input is not None and bool(on_input),
    )


@dataclass(kw_only=True, eq=False)
class _Touched:
    """One weight or bias that LoRAs change."""

    parameter: Tensor
    kept: Tensor
    # Of a text encoder, not of the UNet.
    text: bool
    # (which LoRA, its change, the change's kind; None is of a bias)
    changes: list[tuple[int, Change, Kind | None]] = field(default_factory=list)
    # Those that the weight has now, in the order of the changes.
    strengths: tuple[float, ...] = ()

    def set(self, strengths: tuple[float, ...]) -> None:
        if strengths == self.strengths:
            return
        self.strengths = strengths
        if not any(strengths):
            self.parameter.copy_(self.kept)
            return
        weight = self.kept.to(self.parameter.device).float()
        total = weight.clone()
        for strength, (_, change, kind) in zip(strengths, self.changes, strict=True):
            if strength == 0:
                continue
            if kind is None:
                total += strength * change.tensors["diff_b"].to(total.device).float()
            else:
                total += strength * weight_change(change, kind, weight)
        self.parameter.copy_(total)


class Applied:
    """LoRAs on a checkpoint's weights, whose strengths can be changed at any time."""

    def __init__(self, checkpoint: Checkpoint, loras: Sequence[Lora]) -> None:
        """Nothing is changed yet.

        Raises:
            ModelError: a LoRA of another family.
        """
        self._touched: dict[int, _Touched] = {}
        self._number = len(loras)
        unmatched = []
        layers = _layers(checkpoint)
        for index, lora in enumerate(loras):
            left = list(lora.unread)
            for stem, change in lora.changes.items():
                layer = layers.get(stem)
                taken = layer is not None and self._touch(index, lora, change, *layer)
                left += () if taken else change.keys
            if len(left) == len(lora.unread) + sum(len(c.keys) for c in lora.changes.values()):
                raise ModelError(_misfit(lora, "none of its layers is there"))
            unmatched += [f"{lora.name}: {key}" for key in left]
        self.unmatched: tuple[str, ...] = tuple(unmatched)

    def _touch(
        self, index: int, lora: Lora, change: Change, module: torch.nn.Module, text: bool
    ) -> bool:
        """Whether all of the change finds its place in the layer."""
        kind = kind_of(change)
        wanted: list[tuple[str, Kind | None]] = [("weight", kind)] if kind is not None else []
        wanted += [("bias", None)] if "diff_b" in change.tensors else []
        found = [(getattr(module, name, None), kind) for name, kind in wanted]
        if any(parameter is None for parameter, _ in found):
            return False
        for parameter, kind in found:
            assert isinstance(parameter, Tensor)
            _check_fit(lora, change, kind, parameter)
            if id(parameter) not in self._touched:
                self._touched[id(parameter)] = _Touched(
                    parameter=parameter, kept=parameter.detach().clone(), text=text
                )
            self._touched[id(parameter)].changes.append((index, change, kind))
        return True

    @torch.inference_mode()
    def set(self, weights: Sequence[tuple[float, float]]) -> None:
        """Give each LoRA these strengths, (text encoders, UNet), instead of the present ones.

        Only layers whose strengths are others are computed, from the weights that were kept.
        """
        if len(weights) != self._number:
            raise ValueError(f"{len(weights)} strengths for {self._number} LoRAs")
        for touched in self._touched.values():
            touched.set(
                tuple(weights[index][0 if touched.text else 1] for index, _, _ in touched.changes)
            )

    def restore(self) -> None:
        """Copy back what was kept."""
        self.set([(0.0, 0.0)] * self._number)


@contextmanager
def applied(
    checkpoint: Checkpoint, loras: Sequence[tuple[Lora, float, float]]
) -> Iterator[Applied]:
    """While it is open, the LoRAs are on the checkpoint: (LoRA, text encoders', UNet's strength).

    Then the weights are bit for bit what they were. Not for two threads at once: hold the
    checkpoint's lock. Text is to be encoded while it is open.

    Raises:
        ModelError: a LoRA of another family.
    """
    on = Applied(checkpoint, [lora for lora, _, _ in loras])
    try:
        on.set([(text, unet) for _, text, unet in loras])
        yield on
    finally:
        on.restore()


def _layers(checkpoint: Checkpoint) -> dict[str, tuple[torch.nn.Module, bool]]:
    """Each layer by all names that files have for it, and whether it is of a text encoder."""
    layers: dict[str, tuple[torch.nn.Module, bool]] = {}
    for name, module in checkpoint.unet.named_modules():
        if "weight" in module._parameters:
            published = unet_name(name, checkpoint.unet.config)
            names = (
                name,
                f"unet.{name}",
                f"diffusion_model.{published}",
                f"lora_unet_{name.replace('.', '_')}",
                f"lora_unet_{published.replace('.', '_')}",
            )
            layers |= dict.fromkeys(names, (module, False))
    second = checkpoint.family == "sdxl-refiner"
    for place, tower in enumerate(checkpoint.towers, start=1 + second):
        stems = ("lora_te_", "lora_te1_") if place == 1 else ("lora_te2_",)
        folder = "text_encoder" if place == 1 else "text_encoder_2"
        for name, module in tower.encoder.named_modules():
            if "weight" in module._parameters:
                short = name.removeprefix("text_model.")
                for full in (short, f"text_model.{short}"):
                    layers[f"{folder}.{full}"] = (module, True)
                    flat = full.replace(".", "_")
                    layers |= {f"{stem}{flat}": (module, True) for stem in stems}
    return layers


def _check_fit(lora: Lora, change: Change, kind: Kind | None, parameter: Tensor) -> None:
    """Refuses a change of another shape, tried on tensors without content."""
    bare = replace(change, tensors={k: v.to("meta") for k, v in change.tensors.items()})
    try:
        if kind is not None:
            weight_change(bare, kind, parameter.to("meta"))
        elif change.tensors["diff_b"].shape != parameter.shape:
            raise RuntimeError("a bias of another length")
    except (RuntimeError, KeyError, IndexError, ValueError):
        shape = tuple(parameter.shape)
        raise ModelError(
            _misfit(lora, f"{change.keys[0]} is not for a weight of shape {shape}")
        ) from None


def _misfit(lora: Lora, reason: str) -> str:
    fits = lora.family or "another family"
    return (
        f"the LoRA '{lora.name}' does not fit this checkpoint ({reason}): it was made for {fits}; "
        "give one of the checkpoint's family"
    )
