"""What a LoRA file adds to a layer's weight W: one function per kind.

Each gives the change of W at strength 1, float32, in a shape of as many numbers as W has. r is the
rank; alpha / r scales the kinds that have a rank, and is 1 where the file has no alpha.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Change:
    """What a file says of one layer."""

    # By the names that `PARTS` has.
    tensors: Mapping[str, Tensor]
    # As they are called in the file.
    keys: tuple[str, ...]
    # None is the rank.
    alpha: float | None = None
    # alpha / sqrt(r) (Kalajdzievski 2023, arXiv:2312.03732).
    by_root: bool = False
    # IA3 only: whether it scales what comes in.
    on_input: bool = False

    def scale(self, rank: int) -> float:
        """The factor on a product of that rank."""
        root = rank**0.5 if self.by_root else rank
        return 1.0 if self.alpha is None else self.alpha / root

    def matrix(self, name: str) -> Tensor:
        """The tensor as a matrix: what comes in, and a kernel's places, are its columns."""
        return self.tensors[name].flatten(1)


Kind: TypeAlias = Callable[[Change, Tensor], Tensor]


def low_rank(change: Change, weight: Tensor) -> Tensor:
    """Up times down (Hu et al. 2021, arXiv:2106.09685), with a kernel between them if `mid` is."""
    up, down = change.matrix("up"), change.tensors["down"]
    if "mid" in change.tensors:  # convolutions of 1 x 1, k x k and 1 x 1 in turn
        product = torch.einsum("op,pqhw,qi->oihw", up, change.tensors["mid"], down.flatten(1))
    else:
        product = (up @ down.flatten(1)).reshape(len(up), *down.shape[1:])
    return product * change.scale(len(down))


def hadamard(change: Change, weight: Tensor) -> Tensor:
    """LoHa: two low-rank products, multiplied place by place (FedPara, arXiv:2108.06098)."""
    factors = []
    for i in "12":
        a, b = change.matrix(f"hada_w{i}_a"), change.matrix(f"hada_w{i}_b")
        core = change.tensors.get(f"hada_t{i}")
        factors.append(a @ b if core is None else torch.einsum("ijkl,ip,jr->prkl", core, a, b))
    return factors[0] * factors[1] * change.scale(len(change.tensors["hada_w1_b"]))


def kronecker(change: Change, weight: Tensor) -> Tensor:
    """LoKr: the Kronecker product of two matrices, each whole or of a low rank."""
    factors, rank = [], None
    for i in "12":
        if f"lokr_w{i}" in change.tensors:
            factors.append(change.tensors[f"lokr_w{i}"])
            continue
        a, b = change.tensors[f"lokr_w{i}_a"], change.tensors[f"lokr_w{i}_b"]
        rank = rank or len(b)
        core = change.tensors.get(f"lokr_t{i}")
        if core is None:
            factors.append((a @ b.flatten(1)).reshape(len(a), *b.shape[1:]))
        else:
            factors.append(torch.einsum("ijkl,ip,jr->prkl", core, a, b))
    first, second = factors
    first = first.reshape(*first.shape, *(1,) * (second.ndim - first.ndim))
    product = torch.kron(first, second.contiguous())
    return product if rank is None else product * change.scale(rank)


def scaled(change: Change, weight: Tensor) -> Tensor:
    """IA3: rows, or columns, of W times numbers (Liu et al. 2022, arXiv:2205.05638)."""
    numbers = change.tensors["weight"].flatten()
    places = (1, -1) if change.on_input else (-1, 1)
    return weight * numbers.reshape(*places, *(1,) * (weight.ndim - 2))


def whole(change: Change, weight: Tensor) -> Tensor:
    """The change itself."""
    return change.tensors["diff"]


def generalised(change: Change, weight: Tensor) -> Tensor:
    """GLoRA: W A + B, both of low rank (Chavan et al. 2023, arXiv:2306.07967, eq. 10)."""
    flat = weight.flatten(1)
    products = []
    for name, shape in (("a", (flat.shape[1], flat.shape[1])), ("b", flat.shape)):
        # two orders of the factors are in use: the one that fits W is meant
        first, second = change.matrix(f"{name}1"), change.matrix(f"{name}2")
        fits = (first.shape[0], second.shape[1]) == tuple(shape)
        products.append(first @ second if fits else second @ first)
    a, b = products
    return (flat @ a + b) * change.scale(min(change.matrix("a1").shape))


def orthogonal(change: Change, weight: Tensor) -> Tensor:
    """OFT: rows of W turned in blocks (Qiu et al. 2023, arXiv:2306.07280), R = (I + Q) / (I - Q).

    Q is the block made skew; alpha, where it is not 0, bounds the norm of all of Q per row of W.
    """
    blocks = change.tensors["oft_blocks"]
    skew = blocks - blocks.transpose(1, 2)
    if change.alpha:
        norm = skew.norm()
        skew = skew * (norm.clamp(max=change.alpha * len(weight)) / norm.clamp(min=1e-12))
    one = torch.eye(blocks.shape[-1], device=blocks.device)
    turn = (one + skew) @ torch.linalg.inv(one - skew)
    rows = weight.reshape(*blocks.shape[:2], -1)
    return torch.einsum("knm,kni->kmi", turn - one, rows).reshape(weight.shape)


# The parts that each kind needs, most telling first; `low_rank` may have `mid`, and so on.
_KINDS: dict[str, Kind] = {
    "up": low_rank,
    "hada_w1_a": hadamard,
    "lokr_w1": kronecker,
    "lokr_w1_a": kronecker,
    "oft_blocks": orthogonal,
    "a1": generalised,
    "diff": whole,
    "weight": scaled,
}

# What parts are called in files: kohya's names, LyCORIS's, diffusers' old and new, peft's.
PARTS: dict[str, str] = {
    "lora_up.weight": "up",
    "lora_down.weight": "down",
    "lora_mid.weight": "mid",
    "lora_B.weight": "up",
    "lora_A.weight": "down",
    "lora.up.weight": "up",
    "lora.down.weight": "down",
    "lora_linear_layer.up.weight": "up",
    "lora_linear_layer.down.weight": "down",
    "lora_magnitude_vector": "magnitude",
    "lora_magnitude_vector.weight": "magnitude",
    "dora_scale": "dora_scale",
    "alpha": "alpha",
    **{f"hada_{part}": f"hada_{part}" for part in ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")},
    **{f"lokr_{part}": f"lokr_{part}" for part in ("w1", "w1_a", "w1_b", "t1")},
    **{f"lokr_{part}": f"lokr_{part}" for part in ("w2", "w2_a", "w2_b", "t2")},
    "oft_blocks": "oft_blocks",
    "oft_diag": "oft_blocks",
    **{f"{part}.weight": part for part in ("a1", "a2", "b1", "b2")},
    "diff": "diff",
    "diff_b": "diff_b",
    "w_norm": "diff",
    "b_norm": "diff_b",
    "on_input": "on_input",
    "weight": "weight",
}


def kind_of(change: Change) -> Kind | None:
    """The kind that the parts are of, or None if they are of none."""
    return next((kind for part, kind in _KINDS.items() if part in change.tensors), None)


def weight_change(change: Change, kind: Kind, weight: Tensor) -> Tensor:
    """The change of the weight at strength 1, in its own shape, computed in float32.

    Raises:
        RuntimeError, KeyError: a change that is not of this weight's shape, or lacks a part.
    """
    tensors = {name: part.to(weight.device).float() for name, part in change.tensors.items()}
    change = replace(change, tensors=tensors)
    weight = weight.float()
    delta = _shaped(kind(change, weight), weight)
    if "magnitude" in tensors:
        return _directed(weight + delta, tensors["magnitude"], rows=True) - weight
    if "dora_scale" in tensors:
        # (1, in, ...) or (out, 1, ...): which of the two has the norms
        rows = tensors["dora_scale"].shape[0] != 1
        return _directed(weight + delta, tensors["dora_scale"], rows=rows) - weight
    return delta


def _directed(weight: Tensor, norms: Tensor, *, rows: bool) -> Tensor:
    """The weight with the norms of its rows, or columns, replaced (DoRA, arXiv:2402.09353)."""
    kept = 0 if rows else 1
    others = [axis for axis in range(weight.ndim) if axis != kept]
    places = [-1 if axis == kept else 1 for axis in range(weight.ndim)]
    norm = weight.square().sum(others, keepdim=True).sqrt()
    return weight / norm.clamp(min=torch.finfo(torch.float32).eps) * norms.reshape(places)


def _shaped(delta: Tensor, weight: Tensor) -> Tensor:
    """The delta in the weight's shape; matrices and convolutions of 1 x 1 are the same.

    An inpainting checkpoint's first convolution reads more channels than the one that the change
    was made for: nothing is added to these.
    """
    if delta.ndim == weight.ndim == 4 and delta.shape[1] == 4 and weight.shape[1] in (8, 9):
        delta = torch.nn.functional.pad(delta, (0, 0, 0, 0, 0, weight.shape[1] - 4))
    if delta.shape[0] != weight.shape[0] or delta.numel() != weight.numel():
        raise RuntimeError(f"a change of {tuple(delta.shape)} for {tuple(weight.shape)}")
    return delta.reshape(weight.shape)
