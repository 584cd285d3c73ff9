"""Prompts as the UNet reads them: weighted texts -> chunks of tokens -> text encoder.

A prompt of any length is cut into chunks of 75 tokens (what the encoder holds besides its start
and end), each encoded by itself, the results joined along the tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sdcore.models.checkpoint import Checkpoint, Tokenizer
from sdcore.prompt import Prompt, Span

# A chunk ends at a comma if one stands among its last 20 tokens (the field's default).
COMMA_REACH = 20


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Token ids and their weights, without start, end and padding."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditioning:
    """What the UNet reads at each step."""

    # (1, tokens, channels) each; the two may differ in tokens.
    positive: Tensor
    negative: Tensor

    def at(self, step: int, sigma: float) -> tuple[Tensor, Tensor]:
        """(positive, negative) at this step; the same at all steps as yet."""
        return self.positive, self.negative


@torch.inference_mode()
def encode(checkpoint: Checkpoint, prompt: Prompt, negative: Prompt) -> Conditioning:
    """Both prompts encoded, float32 on the checkpoint's device."""
    return Conditioning(
        positive=_encoded(checkpoint, prompt), negative=_encoded(checkpoint, negative)
    )


def count(checkpoint: Checkpoint, prompt: Prompt) -> tuple[int, int]:
    """(tokens, room): closed chunks count in full, the last one its real length."""
    size = _chunk_size(checkpoint)
    cut = chunks(prompt.spans(), checkpoint.towers[0].tokenizer, size)
    return size * (len(cut) - 1) + len(cut[-1].ids), size * len(cut)


def chunks(spans: Sequence[Span], tokenizer: Tokenizer, size: int = 75) -> tuple[Chunk, ...]:
    """The spans' tokens in chunks of at most `size`; one empty chunk for an empty prompt.

    A full chunk before a token other than a comma is cut after its last comma, if that is at most
    COMMA_REACH tokens from its end; the tail opens the next chunk.
    """
    comma = tokenizer.get_vocab().get(",</w>")
    tokens = [
        (token, span.weight)
        for span in spans
        for token in tokenizer(
            span.text, add_special_tokens=False, truncation=False, verbose=False
        )["input_ids"]
    ]
    cut: list[Chunk] = []
    start = 0
    while start < len(tokens) or not cut:
        end = start + _taken(tokens[start : start + size + 1], comma, size)
        ids, weights = zip(*tokens[start:end], strict=True) if tokens else ((), ())
        cut.append(Chunk(ids=ids, weights=weights))
        start = end
    return tuple(cut)


def _taken(tokens: Sequence[tuple[int, float]], comma: int | None, size: int) -> int:
    """How many of the tokens the next chunk takes, of at most size + 1 that are shown."""
    if len(tokens) <= size or tokens[size][0] == comma:
        return min(len(tokens), size)
    for end in range(size, max(size - COMMA_REACH, 0), -1):
        if tokens[end - 1][0] == comma:
            return end
    return size


def _chunk_size(checkpoint: Checkpoint) -> int:
    return int(checkpoint.towers[0].encoder.config.max_position_embeddings) - 2


def _encoded(checkpoint: Checkpoint, prompt: Prompt) -> Tensor:
    """(1, tokens, channels): the prompt's chunks encoded in one batch and laid end to end."""
    tokenizer, size = checkpoint.towers[0].tokenizer, _chunk_size(checkpoint)
    cut = chunks(prompt.spans(), tokenizer, size)
    padding = [
        (tokenizer.eos_token_id, *[tokenizer.pad_token_id] * (size - len(c.ids))) for c in cut
    ]
    ids = [(tokenizer.bos_token_id, *c.ids, *pad) for c, pad in zip(cut, padding, strict=True)]
    weights = [(1.0, *c.weights, *[1.0] * (size + 1 - len(c.weights))) for c in cut]
    device = checkpoint.device
    z: Tensor = checkpoint.towers[0].encoder(input_ids=torch.tensor(ids, device=device))[0].float()
    return emphasised(z, torch.tensor(weights, device=device)).reshape(1, -1, z.shape[-1])


def emphasised(z: Tensor, weights: Tensor) -> Tensor:
    """Each token times its weight, each chunk scaled back to the mean that it had.

    Where all of a chunk's tokens have means of one sign, as CLIP's have, that scale lies between
    1 / the greatest and 1 / the least weight. Outside of these bounds the mean is a sum of numbers
    that cancel, and would blow the chunk up (the mean of a layer norm's output can be 0): then the
    chunk is left as weighted. Weights of 1 change nothing, bit for bit.

    Args:
        z: the encoder's output (chunks, tokens, channels).
        weights: (chunks, tokens).
    """
    weighted = z * weights[..., None]
    scale = z.mean(dim=(1, 2)) / weighted.mean(dim=(1, 2))
    low, high = weights.amin(dim=1), weights.amax(dim=1)
    meant = (scale * high >= 1 - 1e-4) & (scale * low <= 1 + 1e-4) & scale.isfinite()
    return weighted * torch.where(meant, scale, 1.0)[:, None, None]
