"""A fact shown as a vector, and then said by words."""

from __future__ import annotations

from pathlib import Path

import torch

from sdcore.train.diffusion import small_text_encoder, small_unet
from sdcore.train.labels import Labels, Table, teach_words
from sdcore.train.task import Recipe
from sdcore.train.tokens import load_tokenizer, token_ids, write_tokenizer

WORDS = ("red", "green", "blue")
OTHERS = ("round", "flat", "old", "new")
LABELS = Labels(count=3, of=lambda indices, texts: torch.tensor([_value(t) for t in texts]))


def _value(text: str) -> int:
    return next((i for i, word in enumerate(WORDS) if word in text), 3)


def _captions(rng: torch.Generator) -> tuple[list[str], torch.Tensor]:
    picks = torch.randint(4, (32, 3), generator=rng).tolist()
    texts = []
    for value, first, second in picks:
        word = [WORDS[value]] if value < 3 else []
        texts.append(", ".join([OTHERS[first], *word, OTHERS[second]]))
    return texts, LABELS.of([], texts)


def test_a_table_is_shown_instead_of_the_words_and_only_while_it_is_open() -> None:
    torch.manual_seed(0)
    unet = small_unet(latent_channels=4, height=8, width=8, text_width=32).eval()
    table = Table(LABELS, 256)
    x, words = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 32)

    def out(text: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return unet.add_embedding(text)

    before = out(words)
    with torch.no_grad():
        table.vectors[1] = 0.5
    with table.shown(unet, torch.tensor([1, 3])):
        shown = out(words)
        with torch.no_grad():
            seen = unet(x, 500, encoder_hidden_states=words).sample
    assert torch.equal(shown, torch.stack([torch.full((256,), 4.0), torch.zeros(256)]))
    assert torch.equal(out(words), before)
    with torch.no_grad():
        assert not torch.equal(unet(x, 500, encoder_hidden_states=words).sample, seen)


def test_words_learn_to_say_the_vectors_and_forget_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    write_tokenizer(tmp_path / "tokenizer", (*WORDS, *OTHERS, ","))
    tokenizer = load_tokenizer(tmp_path / "tokenizer")
    unet = small_unet(latent_channels=4, height=8, width=8, text_width=32)
    encoder = small_text_encoder(len(tokenizer), width=32)
    table = Table(LABELS, 256)
    with torch.no_grad():
        table.vectors[:3] = torch.randn(3, 256) / 64
        wanted = table(torch.arange(4))
    ids = token_ids(tokenizer, _captions(torch.Generator().manual_seed(9))[0])
    before = encoder(input_ids=ids).last_hidden_state.detach()
    recipe = Recipe(steps=150, batch=32, lr=3e-3, warmup=10, ema=0.9)
    run = teach_words(
        *(unet, encoder, tokenizer, table, _captions),
        recipe,
        folder=tmp_path,
        device=torch.device("cpu"),
    )
    run.use_average()
    texts, values = _captions(torch.Generator().manual_seed(7))
    with torch.no_grad():
        said = unet.add_embedding(encoder(input_ids=token_ids(tokenizer, texts)).last_hidden_state)
        after = encoder(input_ids=ids).last_hidden_state
    assert torch.equal(torch.cdist(said, wanted).argmin(dim=1), values)
    assert (after - before).square().mean() < 0.2 * before.square().mean()
