from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch

from sdcore.conditioning import Conditioning, chunks, count, emphasised, encode
from sdcore.models.checkpoint import Checkpoint
from sdcore.prompt import Span, parse

COMMA = 1


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
    return [len(chunk.ids) for chunk in chunks((Span(text, 1.0),), Letters())]


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
    (chunk,) = chunks((Span("xx", 1.0), Span("x,", 1.5)), Letters())
    assert chunk.ids == (2, 2, 2, COMMA)
    assert chunk.weights == (1.0, 1.0, 1.5, 1.5)


def _positive(checkpoint: Checkpoint, prompt: str) -> torch.Tensor:
    return encode(checkpoint, parse(prompt), parse("")).positive


def test_a_plain_prompt_is_encoded_as_transformers_does(checkpoint: Checkpoint) -> None:
    text = "house drums, saw bass"
    tokenizer: object = checkpoint.towers[0].tokenizer
    assert callable(tokenizer)
    ids = tokenizer(text, padding="max_length", max_length=77, return_tensors="pt").input_ids
    expected = checkpoint.towers[0].encoder(input_ids=ids).last_hidden_state
    torch.testing.assert_close(_positive(checkpoint, text), expected)


def test_a_prompt_of_any_length_is_read_whole(checkpoint: Checkpoint) -> None:
    long = ", ".join(["saw bass"] * 40)
    conditioning = encode(checkpoint, parse(long), parse(""))
    tokens, room = count(checkpoint, parse(long))
    assert conditioning.positive.shape == (1, room // 75 * 77, 32)
    assert room - 75 < tokens <= room and room // 75 >= 3
    assert conditioning.negative.shape == (1, 77, 32)
    changed = encode(checkpoint, parse(long + " house"), parse("")).positive
    assert not torch.equal(changed[:, -77:], conditioning.positive[:, -77:])


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


def test_conditioning_is_the_same_at_all_steps() -> None:
    a, b = torch.zeros(1, 77, 4), torch.ones(1, 154, 4)
    conditioning = Conditioning(positive=a, negative=b)
    assert conditioning.at(0, 14.0) == conditioning.at(9, 0.1) == (a, b)
