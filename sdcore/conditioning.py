"""Prompts as the UNet reads them: weighted texts -> chunks of tokens -> text encoders.

A prompt of any length is cut into chunks of 75 tokens (what an encoder holds besides its start
and end), each encoded by itself, the results joined along the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

import torch
from torch import Tensor

from sdcore.models.checkpoint import Checkpoint, TextTower
from sdcore.prompt import ActiveLora, Scheduled, Segment, Span
from sdcore.tokens import Chunk, chunks
from sdcore.types import Emphasis

# Micro-conditioning that SDXL's refiner was trained with: how beautiful, how not.
AESTHETIC, UNAESTHETIC = 6.0, 2.5

# Texts of earlier runs that a checkpoint keeps encoded.
KEPT = 64

Blocks = tuple[tuple[Span, ...], ...]


# Puts LoRAs on a checkpoint, these and none else.
Wear: TypeAlias = Callable[[Checkpoint, Sequence[ActiveLora]], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Context:
    """One prompt as the UNet reads it."""

    # (B, tokens, channels)
    tokens: Tensor
    # (B, channels) of the whole text and (B, 5 or 6) of sizes: the XL families only.
    pooled: Tensor | None = None
    sizes: Tensor | None = None

    def repeated(self, times: int) -> Context:
        """The same for a batch."""

        def expand(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.expand(times, *tensor.shape[1:])

        tokens = self.tokens.expand(times, -1, -1)
        return Context(tokens=tokens, pooled=expand(self.pooled), sizes=expand(self.sizes))


def joined(contexts: Sequence[Context]) -> Context:
    """Contexts of equally many tokens as one batch."""

    def together(tensors: Sequence[Tensor | None]) -> Tensor | None:
        present = [tensor for tensor in tensors if tensor is not None]
        return torch.cat(present) if present else None

    return Context(
        tokens=torch.cat([context.tokens for context in contexts]),
        pooled=together([context.pooled for context in contexts]),
        sizes=together([context.sizes for context in contexts]),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Moment:
    """What the UNet reads at one step."""

    # One per part of the prompt that AND joins, with its weight.
    positive: tuple[tuple[float, Context], ...]
    negative: Context


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """The contexts of one part of a prompt, each until its step (exclusive), in order."""

    weight: float
    until: tuple[int, ...]
    contexts: tuple[Context, ...]

    def at(self, step: int) -> Context:
        """The context of a step; past the end the last one's."""
        later = (c for end, c in zip(self.until, self.contexts, strict=True) if step < end)
        return next(later, self.contexts[-1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditioning:
    """What the UNet reads, step by step."""

    positive: tuple[Timeline, ...]
    negative: Timeline

    def at(self, step: int) -> Moment:
        """The contexts of this step."""
        return Moment(
            positive=tuple((part.weight, part.at(step)) for part in self.positive),
            negative=self.negative.at(step),
        )


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a prompt is read: what `encode` needs to know besides its words."""

    # Layers from the end of the text encoder, 1 is the last; SD 2.x and CLIP-G have their own.
    clip_skip: int = 1
    emphasis: Emphasis = "Original"
    # Whether "Original" holds one mean for all texts of a part, as the reference does, or each its
    # own.
    shares_mean: bool = False
    # (width, height) in pixels of the picture, told to the XL families.
    size: tuple[int, int] = (512, 512)


@torch.inference_mode()
def encode(
    checkpoint: Checkpoint,
    positive: Sequence[Scheduled],
    negative: Scheduled,
    *,
    reading: Reading,
    wear: Wear = lambda checkpoint, loras: None,
) -> Conditioning:
    """Both prompts encoded, float32 on the checkpoint's device; equal texts are encoded once.

    Args:
        positive: the parts that AND joins.
        negative: the negative prompt.
        reading: how they are read.
        wear: puts LoRAs on the text encoders. A text is read with those that its segment names,
            the negative prompt with those that the prompt begins with.
    """
    first = tuple(lora for part in positive for lora in part.segments[0].loras)

    @cache
    def context(
        blocks: Blocks, loras: tuple[ActiveLora, ...], is_negative: bool, emphasis: Emphasis
    ) -> Context:
        wear(checkpoint, loras)
        return _remembered(checkpoint, blocks, replace(reading, emphasis=emphasis), is_negative)

    def timeline(part: Scheduled, *, is_negative: bool) -> Timeline:
        segments: tuple[Segment, ...] = part.segments

        def read(emphasis: Emphasis) -> tuple[Context, ...]:
            worn = (first if is_negative else segment.loras for segment in segments)
            texts = [(s.blocks, loras) for s, loras in zip(segments, worn, strict=True)]
            return tuple(context(*text, is_negative, emphasis) for text in texts)

        if reading.shares_mean and reading.emphasis == "Original":
            empty = context(((),), first, False, "Ignore")
            widths = [tower.encoder.config.hidden_size for tower in checkpoint.towers]
            contexts = with_one_mean(read("Ignore"), read("No norm"), empty.tokens, widths)
        else:
            contexts = read(reading.emphasis)
        until = tuple(segment.until for segment in segments)
        return Timeline(weight=part.weight, until=until, contexts=contexts)

    return Conditioning(
        positive=tuple(timeline(part, is_negative=False) for part in positive),
        negative=timeline(negative, is_negative=True),
    )


def with_one_mean(
    plain: Sequence[Context], weighted: Sequence[Context], empty: Tensor, widths: Sequence[int]
) -> tuple[Context, ...]:
    """The weighted texts, scaled so that all of them together have the mean of the plain ones.

    A scale for each chunk and tower; a text that ends before a chunk counts as an empty one there.

    Args:
        plain, weighted: the same texts without and with their weights.
        empty: (1, tokens, channels) of a chunk without words.
        widths: channels of each tower.
    """
    length = empty.shape[1]
    count = max(context.tokens.shape[1] for context in plain) // length

    def means(contexts: Sequence[Context]) -> Tensor:
        """(chunks, channels), of all channels of a tower the same."""
        filled = [
            torch.cat([c.tokens, empty.repeat(1, count - c.tokens.shape[1] // length, 1)], dim=1)
            for c in contexts
        ]
        by_chunk = torch.cat(filled).view(len(contexts), count, length, -1)
        towers = [part.mean(dim=(0, 2, 3)) for part in torch.split(by_chunk, list(widths), dim=-1)]
        spread = [mean[:, None].expand(-1, n) for mean, n in zip(towers, widths, strict=True)]
        return torch.cat(spread, dim=1)

    scale = means(plain) / means(weighted)
    scale = torch.where(scale.isfinite(), scale, 1.0).repeat_interleave(length, dim=0)
    return tuple(replace(c, tokens=c.tokens * scale[: c.tokens.shape[1]]) for c in weighted)


def _remembered(
    checkpoint: Checkpoint, blocks: Blocks, reading: Reading, is_negative: bool
) -> Context:
    """The text's context, from an earlier run if its towers are as they were then."""
    # A weight that was changed in place, by training or by a LoRA, has another version.
    towers = tuple(
        (id(tower.encoder), sum(weight._version for weight in tower.encoder.parameters()))
        for tower in checkpoint.towers
    )
    known = tuple((name, id(rows)) for name, rows in checkpoint.embeddings.items())
    key = (checkpoint.family, towers, known, checkpoint.device, blocks, reading, is_negative)
    found: Context | None = checkpoint.contexts.pop(key, None)
    if found is None:
        found = context_of(checkpoint, blocks, reading, is_negative=is_negative)
    checkpoint.contexts[key] = found
    while len(checkpoint.contexts) > KEPT:
        checkpoint.contexts.popitem(last=False)
    return found


def count(checkpoint: Checkpoint, blocks: Blocks) -> tuple[int, int]:
    """(tokens, room): closed chunks count in full, the last one its real length."""
    cut = chunks(blocks, checkpoint.towers[0].tokenizer, _size(checkpoint.towers[0]))
    size = _size(checkpoint.towers[0])
    return size * (len(cut) - 1) + len(cut[-1].ids), size * len(cut)


def context_of(
    checkpoint: Checkpoint, blocks: Blocks, reading: Reading, *, is_negative: bool
) -> Context:
    """One text through every tower, their channels side by side."""
    read = [_tower(checkpoint, i, blocks, reading) for i in range(len(checkpoint.towers))]
    tokens = torch.cat([tokens for tokens, _ in read], dim=-1)
    pooled = next((pooled for _, pooled in read if pooled is not None), None)
    if pooled is None:
        return Context(tokens=tokens)
    if is_negative and checkpoint.family == "sdxl" and not any(blocks):
        # SDXL was trained with its words dropped as zeros.
        tokens, pooled = torch.zeros_like(tokens), torch.zeros_like(pooled)
    width, height = reading.size
    facts = [height, width, 0.0, 0.0, height, width]
    if checkpoint.family == "sdxl-refiner":
        facts = [height, width, 0.0, 0.0, UNAESTHETIC if is_negative else AESTHETIC]
    sizes = torch.tensor([facts], dtype=torch.float32, device=checkpoint.device)
    return Context(tokens=tokens, pooled=pooled, sizes=sizes)


def _tower(
    checkpoint: Checkpoint, index: int, blocks: Blocks, reading: Reading
) -> tuple[Tensor, Tensor | None]:
    """(1, tokens, channels) of the chunks laid end to end, and (1, channels) of the first one."""
    tower = checkpoint.towers[index]
    device, size = checkpoint.device, _size(tower)
    vectors = {name: per[index] for name, per in checkpoint.embeddings.items()}
    known = {name: vector for name, vector in vectors.items() if vector is not None}
    cut = chunks(blocks, tower.tokenizer, size, embeddings=known)
    ids = torch.tensor([_padded(chunk, tower, size) for chunk in cut], device=device)
    weights = [(1.0, *c.weights, *[1.0] * (size + 1 - len(c.weights))) for c in cut]
    with _vectors(tower, cut, known):
        hidden, pooled = _hidden(checkpoint, tower, ids, reading.clip_skip)
    z = hidden.float()
    if reading.emphasis in ("Original", "No norm"):
        z = emphasised(
            z,
            torch.tensor(weights, device=device),
            keep_mean=reading.emphasis == "Original",
        )
    return z.reshape(1, -1, z.shape[-1]), None if pooled is None else pooled[:1].float()


def _size(tower: TextTower) -> int:
    """How many tokens a chunk holds, without start and end."""
    return int(tower.encoder.config.max_position_embeddings) - 2


def _padded(chunk: Chunk, tower: TextTower, size: int) -> list[int]:
    """The chunk's ids between start and end, filled up as the encoder was trained."""
    tokenizer = tower.tokenizer
    padding = [tokenizer.pad_token_id] * (size - len(chunk.ids))
    return [tokenizer.bos_token_id, *chunk.ids, tokenizer.eos_token_id, *padding]


def _hidden(
    checkpoint: Checkpoint, tower: TextTower, ids: Tensor, clip_skip: int
) -> tuple[Tensor, Tensor | None]:
    """What the tower makes of ids (chunks, tokens), (chunks, tokens, channels), and its pooled one.

    SD 1.x: the last layer, or an earlier one, through the final norm. SD 2.x: its file ends a
    layer early, so the last one. XL: the last but one, as it stands.
    """
    given = tower.encoder(input_ids=ids, output_hidden_states=True)
    pooled = given.text_embeds if tower.pooled else None
    if checkpoint.family in ("sdxl", "sdxl-refiner"):
        # CLIP-G is never skipped; CLIP-L only where more than its trained two layers are asked.
        layer = 2 if tower.pooled else max(2, clip_skip)
        return given.hidden_states[-layer], pooled
    if checkpoint.family == "sd2" or clip_skip == 1:
        return given.last_hidden_state, pooled
    hidden: Tensor = tower.encoder.final_layer_norm(given.hidden_states[-clip_skip])
    return hidden, pooled


@contextmanager
def _vectors(
    tower: TextTower, cut: Sequence[Chunk], embeddings: Mapping[str, Tensor]
) -> Iterator[None]:
    """For a while, learned vectors in the places that the chunks keep for them."""

    def put(module: object, args: object, embedded: Tensor) -> Tensor:
        embedded = embedded.clone()
        for row, chunk in enumerate(cut):
            for offset, name, k in chunk.vectors:
                embedded[row, 1 + offset] = embeddings[name][k].to(embedded)
        return embedded

    if not any(chunk.vectors for chunk in cut):
        yield
        return
    handle = tower.encoder.get_input_embeddings().register_forward_hook(put)
    try:
        yield
    finally:
        handle.remove()


def emphasised(z: Tensor, weights: Tensor, *, keep_mean: bool = True) -> Tensor:
    """Each token times its weight, each chunk scaled back to the mean that it had.

    Where all of a chunk's tokens have means of one sign, as CLIP's have, that scale lies between
    1 / the greatest and 1 / the least weight. Outside of these bounds the mean is a sum of numbers
    that cancel, and would blow the chunk up (the mean of a layer norm's output can be 0): then the
    chunk is left as weighted. Weights of 1 change nothing, bit for bit.

    Args:
        z: the encoder's output (chunks, tokens, channels).
        weights: (chunks, tokens).
        keep_mean: whether to scale back at all ("No norm" does not).
    """
    weighted = z * weights[..., None]
    if not keep_mean:
        return weighted
    scale = z.mean(dim=(1, 2)) / weighted.mean(dim=(1, 2))
    low, high = weights.amin(dim=1), weights.amax(dim=1)
    meant = (scale * high >= 1 - 1e-4) & (scale * low <= 1 + 1e-4) & scale.isfinite()
    return weighted * torch.where(meant, scale, 1.0)[:, None, None]
