"""Weighted texts cut into chunks of token ids, as many to a chunk as a text encoder holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from sdcore.models.checkpoint import Tokenizer
from sdcore.prompt import Span

# A chunk ends at a comma if one stands among its last 20 tokens (the field's default).
COMMA_REACH = 20
# The id that holds the place of a learned vector.
PLACE = 0

# Texts between BREAKs, each in runs of one weight.
Blocks = Sequence[Sequence[Span]]


class Vector(NamedTuple):
    """Where a vector of a textual inversion stands in its chunk."""

    offset: int
    embedding: str
    row: int


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Token ids and their weights, without start, end and padding."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]
    vectors: tuple[Vector, ...] = ()


class _Piece(NamedTuple):
    """What is never parted: one token, or all the vectors of an embedding."""

    id: int
    weight: float
    size: int = 1
    embedding: str = ""


def chunks(
    blocks: Blocks,
    tokenizer: Tokenizer,
    size: int = 75,
    *,
    embeddings: Mapping[str, Tensor] | None = None,
) -> tuple[Chunk, ...]:
    """The blocks' tokens in chunks of at most `size`; one empty chunk for an empty prompt.

    A full chunk before a token other than a comma is cut after its last comma, if that is at most
    COMMA_REACH tokens from its end; the tail opens the next chunk. Each block opens a chunk of its
    own, be it empty, but for an empty last one. An embedding (rows (vectors, channels) by name)
    longer than a chunk is cut short.
    """
    pieces = _Pieces(tokenizer, size, embeddings or {})
    comma = tokenizer.get_vocab().get(",</w>")
    cut: list[Chunk] = []
    for number, block in enumerate(blocks):
        found = list(pieces.of(block))
        if not found and 0 < number == len(blocks) - 1:
            break
        cut += _cut(found, size, comma)
    return tuple(cut) or (Chunk(ids=(), weights=()),)


class _Pieces:
    """Texts as tokens, in which the names of embeddings stand for their vectors."""

    def __init__(self, tokenizer: Tokenizer, size: int, embeddings: Mapping[str, Tensor]) -> None:
        self.tokenizer = tokenizer
        self.sizes = {name: min(len(rows), size) for name, rows in embeddings.items()}
        # By first token; the longest name first, so that it is found before its beginning.
        self.names: dict[int, list[tuple[tuple[int, ...], str]]] = {}
        for name in embeddings:
            if ids := tuple(self._ids(name)):
                self.names.setdefault(ids[0], []).append((ids, name))
        for spellings in self.names.values():
            spellings.sort(key=lambda spelling: -len(spelling[0]))

    def of(self, block: Sequence[Span]) -> Iterator[_Piece]:
        for text, weight in block:
            ids = self._ids(text)
            at = 0
            while at < len(ids):
                here = self.names.get(ids[at], ())
                name = next((n for s, n in here if tuple(ids[at : at + len(s)]) == s), None)
                if name is None:
                    yield _Piece(ids[at], weight)
                    at += 1
                else:
                    yield _Piece(PLACE, weight, self.sizes[name], name)
                    at += len(next(s for s, n in here if n == name))

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)[
            "input_ids"
        ]


def _cut(pieces: Sequence[_Piece], size: int, comma: int | None) -> Iterator[Chunk]:
    start = 0
    while True:
        end = _end(pieces, start, size, comma)
        yield _chunk(pieces[start:end])
        start = end
        if start >= len(pieces):
            return


def _end(pieces: Sequence[_Piece], start: int, size: int, comma: int | None) -> int:
    """Where the chunk that begins at `start` ends."""
    end, taken, after_comma, room_there = start, 0, None, 0
    while end < len(pieces) and taken + pieces[end].size <= size:
        taken += pieces[end].size
        end += 1
        if _is_comma(pieces[end - 1], comma):
            after_comma, room_there = end, size - taken
    if end == len(pieces) or _is_comma(pieces[end], comma) or after_comma is None:
        return end
    return after_comma if room_there < COMMA_REACH else end


def _is_comma(piece: _Piece, comma: int | None) -> bool:
    return not piece.embedding and piece.id == comma


def _chunk(pieces: Sequence[_Piece]) -> Chunk:
    ids: list[int] = []
    weights: list[float] = []
    vectors: list[Vector] = []
    for piece in pieces:
        if piece.embedding:
            vectors += [Vector(len(ids) + k, piece.embedding, k) for k in range(piece.size)]
        ids += [piece.id] * piece.size
        weights += [piece.weight] * piece.size
    return Chunk(ids=tuple(ids), weights=tuple(weights), vectors=tuple(vectors))
