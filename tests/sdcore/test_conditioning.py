from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from sdcore.conditioning import (
    KEPT,
    Conditioning,
    Reading,
    count,
    emphasised,
    encode,
)
from sdcore.models.checkpoint import Checkpoint
from sdcore.prompt import Scheduled, Segment, Span, parse, schedule
from sdcore.tokens import Vector, chunks

COMMA = 1
RAW = {"add_special_tokens": False, "truncation": False, "verbose": False}


class Letters:
    """One token per character: a comma is COMMA, anything else 2."""

    bos_token_id, eos_token_id, pad_token_id = 3, 4, 5

    def __call__(
        self, text: str, *, add_special_tokens: bool, truncation: bool, verbose: bool
    ) -> Mapping[str, list[int]]:
        assert not (add_special_tokens or truncation or verbose)
        return {"input_ids": [COMMA if c == "," else 2 for c in text]}

    def get_vocab(self) -> Mapping[str, int]:
        return {",</w>": COMMA, "x": 2}


def _lengths(text: str) -> list[int]:
    return [len(chunk.ids) for chunk in chunks([(Span(text, 1.0),)], Letters())]


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("x" * 75, [75]),
        ("x" * 76, [75, 1]),
        ("x" * 151, [75, 75, 1]),
        ("x" * 55 + "," + "x" * 30, [56, 30]),  # a comma at 55 is near enough to the end
        ("x" * 54 + "," + "x" * 30, [75, 10]),  # at 54 it is not
        ("x" * 54 + "," + "x" * 20, [75]),  # nothing is moved where all has room
        ("x" * 74 + "," + "x", [75, 1]),
        ("x" * 60 + "," + "x" * 14 + ",xx", [75, 3]),  # a comma next: the chunk stays full
        ("x" * 55 + "," + "x" * 75 + "y", [56, 75, 1]),  # the comma of a closed chunk is forgotten
    ],
)
def test_a_full_chunk_is_cut_at_a_comma_near_its_end(text: str, lengths: list[int]) -> None:
    assert _lengths(text) == lengths


def test_no_prompt_is_one_empty_chunk() -> None:
    (chunk,) = chunks((), Letters())
    assert chunk.ids == chunk.weights == ()


def test_each_token_has_its_span_s_weight() -> None:
    (chunk,) = chunks([(Span("xx", 1.0), Span("x,", 1.5))], Letters())
    assert chunk.ids == (2, 2, 2, COMMA)
    assert chunk.weights == (1.0, 1.0, 1.5, 1.5)


def _encoded(
    checkpoint: Checkpoint, prompt: str, negative: str = "", *, reading: Reading | None = None
) -> Conditioning:
    positive, (other,) = (schedule(parse(text), steps=1) for text in (prompt, negative))
    return encode(checkpoint, positive, other, reading=reading or Reading())


def _positive(
    checkpoint: Checkpoint, prompt: str, *, reading: Reading | None = None
) -> torch.Tensor:
    ((_, context),) = _encoded(checkpoint, prompt, reading=reading).at(0).positive
    return context.tokens


def test_a_plain_prompt_is_encoded_as_transformers_does(checkpoint: Checkpoint) -> None:
    text = "house drums, saw bass"
    tokenizer: object = checkpoint.towers[0].tokenizer
    assert callable(tokenizer)
    ids = tokenizer(text, padding="max_length", max_length=77, return_tensors="pt").input_ids
    expected = checkpoint.towers[0].encoder(input_ids=ids).last_hidden_state
    torch.testing.assert_close(_positive(checkpoint, text), expected)


def test_a_prompt_of_any_length_is_read_whole(checkpoint: Checkpoint) -> None:
    long = ", ".join(["saw bass"] * 40)
    positive, negative = _positive(checkpoint, long), _encoded(checkpoint, long).at(0).negative
    tokens, room = count(checkpoint, (parse(long).spans(),))
    assert positive.shape == (1, room // 75 * 77, 32)
    assert room - 75 < tokens <= room and room // 75 >= 3
    assert negative.tokens.shape == (1, 77, 32)
    changed = _positive(checkpoint, long + " house")
    assert not torch.equal(changed[:, -77:], positive[:, -77:])


def test_a_weight_of_one_changes_nothing(checkpoint: Checkpoint) -> None:
    assert torch.equal(_positive(checkpoint, "a (b:1.0)"), _positive(checkpoint, "a b"))


def test_a_weight_changes_its_chunk_only(checkpoint: Checkpoint) -> None:
    plain = _positive(checkpoint, "x" * 80 + ", b")
    weighted = _positive(checkpoint, "x" * 80 + ", (b:1.5)")
    assert torch.equal(plain[:, :77], weighted[:, :77])
    assert not torch.equal(plain[:, 77:], weighted[:, 77:])


def test_emphasis_keeps_each_chunk_s_mean() -> None:
    z = torch.randn(2, 77, 32, generator=torch.Generator().manual_seed(0)) - 3
    weights = torch.ones(2, 77)
    weights[1, 3:9] = 1.5
    result = emphasised(z, weights)
    assert torch.equal(result[0], z[0])
    torch.testing.assert_close(result[1].mean(), z[1].mean())
    ratio = result[1] / z[1]
    torch.testing.assert_close(ratio[5] / ratio[0], torch.full((32,), 1.5))


def test_a_mean_of_nothing_scales_nothing() -> None:
    z = torch.randn(1, 77, 32, generator=torch.Generator().manual_seed(0))
    z = z - z.mean(dim=2, keepdim=True)  # as a layer norm without a bias gives it
    weights = torch.ones(1, 77)
    weights[0, 3:9] = 1.5
    result = emphasised(z, weights)
    assert result.abs().max() <= 1.5 * z.abs().max()
    assert emphasised(torch.zeros(1, 77, 32), weights).isfinite().all()


def test_each_break_opens_a_chunk() -> None:
    def lengths(*texts: str) -> list[int]:
        blocks = [(Span(text, 1.0),) if text else () for text in texts]
        return [len(chunk.ids) for chunk in chunks(blocks, Letters())]

    assert lengths("xx", "xxx") == [2, 3]
    assert lengths("", "xx") == [0, 2]  # BREAK at the front: an empty chunk
    assert lengths("xx", "", "x") == [2, 0, 1]
    assert lengths("xx", "") == [2]  # at the end: none
    assert lengths("x" * 80, "x") == [75, 5, 1]


def test_the_vectors_of_an_embedding_are_not_parted() -> None:
    embeddings = {"yx": torch.zeros(4, 8), "yxx": torch.zeros(3, 8)}

    class Spelled(Letters):
        def __call__(self, text: str, **options: bool) -> Mapping[str, list[int]]:  # type: ignore[override]
            return {"input_ids": [{",": COMMA, "y": 7}.get(c, 2) for c in text]}

    (first, second) = chunks(
        [(Span("x" * 72 + "yx" + ",yxx", 1.5),)], Spelled(), embeddings=embeddings
    )
    assert len(first.ids) == 72 and not first.vectors
    assert second.ids == (0, 0, 0, 0, COMMA, 0, 0, 0) and second.weights == (1.5,) * 8
    assert second.vectors == (
        *(Vector(k, "yx", k) for k in range(4)),
        *(Vector(5 + k, "yxx", k) for k in range(3)),  # the longer name first
    )


def test_learned_vectors_stand_in_the_place_of_their_word(checkpoint: Checkpoint) -> None:
    table = checkpoint.towers[0].encoder.get_input_embeddings().weight
    (ids,) = [checkpoint.towers[0].tokenizer("house", **RAW)["input_ids"]]
    known = replace(checkpoint, embeddings={"zz": (table[ids].detach().clone(),)})
    assert torch.equal(_positive(known, "a zz b"), _positive(checkpoint, "a house b"))
    assert torch.equal(_positive(known, "a b"), _positive(checkpoint, "a b"))


def test_clip_skip_reads_an_earlier_layer(checkpoint: Checkpoint) -> None:
    encoder, text = checkpoint.towers[0].encoder, "house drums"
    ids = (
        checkpoint.towers[0]
        .tokenizer(text, padding="max_length", max_length=77, return_tensors="pt")
        .input_ids
    )  # type: ignore[call-arg, attr-defined]
    hidden = encoder(input_ids=ids, output_hidden_states=True).hidden_states[-2]
    expected = encoder.final_layer_norm(hidden)
    skipped = _positive(checkpoint, text, reading=Reading(clip_skip=2))
    torch.testing.assert_close(skipped, expected)
    sd2 = replace(checkpoint, family="sd2")
    assert torch.equal(
        _positive(sd2, text, reading=Reading(clip_skip=2)), _positive(checkpoint, text)
    )


def test_emphasis_can_be_plain_or_ignored(checkpoint: Checkpoint) -> None:
    plain, weighted = "house drums", "house (drums:1.4)"
    ignored = _positive(checkpoint, weighted, reading=Reading(emphasis="Ignore"))
    assert torch.equal(ignored, _positive(checkpoint, plain))
    unscaled = _positive(checkpoint, weighted, reading=Reading(emphasis="No norm"))
    ratio = unscaled / _positive(checkpoint, plain)
    assert sorted({round(float(r), 3) for r in ratio.flatten() if r.isfinite()}) == [1.0, 1.4]


def test_a_text_that_comes_again_is_encoded_once(checkpoint: Checkpoint) -> None:
    a, b = (Segment(until=k, blocks=((Span(t, 1.0),),)) for k, t in ((1, "a"), (2, "b")))
    again = replace(a, until=3)
    part = Scheduled(weight=1.0, segments=(a, b, again))
    conditioning = encode(checkpoint, [part], part, reading=Reading())
    first, second, third = (conditioning.at(k).positive[0][1] for k in range(3))
    assert first is third and first is not second
    assert conditioning.at(9).positive[0][1] is third


def test_a_text_is_encoded_once_until_the_encoder_changes(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    import copy

    tower = replace(checkpoint.towers[0], encoder=copy.deepcopy(checkpoint.towers[0].encoder))
    ours = replace(checkpoint, towers=(tower,), contexts=OrderedDict())
    runs: list[int] = []
    tower.encoder.register_forward_pre_hook(lambda module, args: runs.append(1))

    def read(text: str, **reading: Any) -> Tensor:
        parts = schedule(parse(text), steps=4)
        nothing = schedule(parse(""), steps=4)[0]
        found = encode(ours, parts, nothing, reading=Reading(**reading))
        return found.positive[0].contexts[0].tokens

    first = read("house")
    assert len(runs) == 2 and torch.equal(read("house"), first) and len(runs) == 2
    read("saw bass")
    assert len(runs) == 3
    read("house", clip_skip=2)
    assert len(runs) == 5
    with torch.inference_mode():
        next(iter(tower.encoder.parameters())).mul_(2)
    assert not torch.equal(read("house"), first) and len(runs) == 7


def test_only_so_many_texts_are_kept(checkpoint: Checkpoint) -> None:
    ours = replace(checkpoint, contexts=OrderedDict())
    nothing = schedule(parse(""), steps=4)[0]
    for i in range(KEPT + 9):
        encode(ours, schedule(parse(f"house {i}"), steps=4), nothing, reading=Reading())
    assert len(ours.contexts) == KEPT


def test_compat_holds_one_mean_for_all_texts_of_a_part(checkpoint: Checkpoint) -> None:
    """The reference scales its whole batch of scheduled texts by one number per chunk."""
    part = schedule(parse("[(house:1.6):" + "bass " * 80 + ":0.5]"), steps=10)
    (tower,) = checkpoint.towers
    tower = replace(tower, encoder=deepcopy(tower.encoder))
    with torch.no_grad():  # as in trained towers, whose output has a mean
        tower.encoder.final_layer_norm.bias.fill_(-0.3)
    biased = replace(checkpoint, towers=(tower,), contexts=OrderedDict())

    def read(**told: Any) -> list[Tensor]:
        reading = Reading(**told)
        found = encode(biased, part, schedule(parse(""), steps=10)[0], reading=reading)
        return [context.tokens for context in found.positive[0].contexts]

    plain, weighted = read(emphasis="Ignore"), read(emphasis="No norm")
    own, shared = read(), read(shares_mean=True)
    first = (
        torch.cat([plain[0], plain[1][:, :77]]).mean()
        / torch.cat([weighted[0], weighted[1][:, :77]]).mean()
    )
    torch.testing.assert_close(shared[0], weighted[0] * first)
    torch.testing.assert_close(shared[1][:, :77], weighted[1][:, :77] * first)
    assert torch.equal(shared[1][:, 77:], plain[1][:, 77:])  # no weight stands there
    assert not torch.allclose(shared[0], own[0])
    assert read(shares_mean=True, emphasis="No norm")[0].equal(weighted[0])
