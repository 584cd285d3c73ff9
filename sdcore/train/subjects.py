"""What can learn: a LoRA on a checkpoint, the vectors of a new word, or the checkpoint itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sdcore.errors import ModelError, RequestError
from sdcore.models.checkpoint import Checkpoint, TextTower
from sdcore.train.adapters import Adapters

if TYPE_CHECKING:
    from sdcore.train.task import Task, What

# Spread of what is added to vectors that would begin alike, as a share of a tower's own.
_APART = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """What learns: networks with the weights that change, and the checkpoint that has them."""

    task: Task
    modules: dict[str, nn.Module]
    # It draws with what is learned while `worn` is open.
    checkpoint: Checkpoint
    worn: Callable[[], AbstractContextManager[None]] = nullcontext
    # Whether the same words are read otherwise at the next step.
    reads_anew: bool = False


def lora(checkpoint: Checkpoint, task: Task) -> Subject:
    """Pairs beside the layers; the checkpoint's own weights stay."""
    adapters = Adapters(
        checkpoint,
        rank=task.rank,
        alpha=task.rank if task.alpha is None else task.alpha,
        convolutions=task.convolutions,
        text=task.text,
        seed=task.recipe.seed,
    )
    if not adapters.pairs:
        raise ModelError(f"'{checkpoint.name}' has no layer that a LoRA changes: train it in full")
    return Subject(
        task=task,
        modules={"lora": adapters.to(checkpoint.device)},
        checkpoint=checkpoint,
        worn=adapters.worn,
        reads_anew=task.text,
    )


class Vectors(nn.Module):
    """The vectors of one new word, for each tower (n, width)."""

    def __init__(self, vectors: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.towers = nn.ParameterList([nn.Parameter(one) for one in vectors])


def embedding(checkpoint: Checkpoint, task: Task) -> Subject:
    """A new word, which begins as the words that the task names; all else stays."""
    rng = torch.Generator().manual_seed(task.recipe.seed)
    vectors = Vectors(
        tuple(beginning(tower, task.begins_as, task.vectors, rng) for tower in checkpoint.towers)
    ).to(checkpoint.device)
    known = {**checkpoint.embeddings, task.name: tuple(vectors.towers)}
    return Subject(
        task=task,
        modules={"embedding": vectors},
        checkpoint=replace(checkpoint, embeddings=known),
        reads_anew=True,
    )


def full(checkpoint: Checkpoint, task: Task) -> Subject:
    """The UNet, and the text encoders where the task says so."""
    if checkpoint.dtype != torch.float32:
        raise RequestError(
            f"'{checkpoint.name}' is loaded in {checkpoint.dtype}, too coarse for small changes: "
            "load it in float32 to train all of it"
        )
    modules: dict[str, nn.Module] = {"unet": checkpoint.unet.requires_grad_(True)}
    for number, tower in enumerate(checkpoint.towers if task.text else ()):
        modules[f"text_encoder_{number}"] = tower.encoder.requires_grad_(True)
    return Subject(task=task, modules=modules, checkpoint=checkpoint, reads_anew=task.text)


SUBJECTS: dict[What, Callable[[Checkpoint, Task], Subject]] = {
    "lora": lora,
    "embedding": embedding,
    "full": full,
}


def beginning(tower: TextTower, words: str, count: int, rng: torch.Generator) -> Tensor:
    """`count` vectors of a tower's words, one after another and again, a little apart.

    Raises RequestError where there is no word.
    """
    ids = tower.tokenizer(words, add_special_tokens=False, truncation=False, verbose=False)[
        "input_ids"
    ]
    if not ids:
        raise RequestError("a new word begins as known ones: give some, such as 'saw lead'")
    table: Tensor = tower.encoder.get_input_embeddings().weight.detach().float().cpu()
    chosen = table[[ids[k % len(ids)] for k in range(count)]]
    apart = torch.randn(chosen.shape, generator=rng) * float(table.std()) * _APART
    return chosen + apart
