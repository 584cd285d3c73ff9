"""A fact that captions state, shown to the UNet as a vector first and put into words afterwards.

A fact on which much of a picture hangs and that one word in twenty states, as the key of a loop,
is not found out from the words: after 232,000 captions a small model had every player right and the
key at chance. When the key came as a vector of its own, 5,000 pictures were enough to begin with.
So the UNet is first taught with such vectors (`Table`), then the text encoder and the UNet's pooled
embedding of the words learn to say the same vectors (`teach_words`), and from then on words alone
are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from sdcore.train.run import Run
from sdcore.train.task import Recipe
from sdcore.train.tokens import token_ids

# The vectors learn so many times faster than what reads them.
_PACE = 8.0


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What is stated: one of `count` values, or nothing."""

    count: int
    # Indices of pictures and their captions -> (n,) int64, 0 .. count - 1, or `count` where the
    # caption does not state it.
    of: Callable[[Sequence[int], Sequence[str]], Tensor]


class Table(nn.Module):
    """A vector for each value and one for none, in the place of the UNet's pooled embedding."""

    def __init__(self, labels: Labels, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(labels.count + 1, width))

    def forward(self, ids: Tensor) -> Tensor:
        """(n,) -> (n, width)."""
        chosen: Tensor = _PACE * self.vectors[ids]
        return chosen

    @contextmanager
    def shown(self, unet: UNet2DConditionModel, ids: Tensor) -> Iterator[None]:
        """While it is open, the UNet is given these values' vectors instead of its pooled words."""

        def instead(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
            vectors: Tensor = self(ids)
            return vectors

        handle = unet.add_embedding.register_forward_hook(instead)
        try:
            yield
        finally:
            handle.remove()


def teach_words(
    unet: UNet2DConditionModel,
    text_encoder: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    table: Table,
    captions: Callable[[torch.Generator], tuple[list[str], Tensor]],
    recipe: Recipe,
    *,
    folder: Path,
    device: torch.device,
) -> Run:
    """Text encoder and pooled embedding learn the table's vectors; resumes from `folder`.

    What the text encoder tells the UNet's attention is held where it was, so that nothing else is
    forgotten. The run's last loss is the mean squared error over the vectors' mean square, plus the
    same of what is held.

    Args:
        captions: a batch of captions and what they state, as `Labels.of` gives it.
    """
    before = deepcopy(text_encoder).to(device).eval().requires_grad_(False)
    vectors = table(torch.arange(len(table.vectors), device=table.vectors.device))
    vectors = vectors.detach().to(device)
    power = vectors.square().mean()
    with torch.no_grad():  # begins as loud as what it is to say
        unet.add_embedding.norm2.weight.fill_(float(power.sqrt()))
    modules = {"pooled": unet.add_embedding, "text_encoder": text_encoder}
    run = Run(modules, recipe, folder, device)
    rng = torch.Generator().manual_seed(recipe.seed + run.step)
    for _ in run.steps("words"):
        texts, ids = captions(rng)
        tokens = token_ids(tokenizer, texts).to(device)
        context = text_encoder(input_ids=tokens).last_hidden_state
        with torch.no_grad():
            held = before(input_ids=tokens).last_hidden_state
        said = (unet.add_embedding(context) - vectors[ids.to(device)]).square().mean() / power
        moved = (context - held).square().mean() / held.square().mean()
        run.update(said + moved)
    return run
