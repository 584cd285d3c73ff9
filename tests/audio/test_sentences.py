"""Sentences: where English and German texts end them, and where a full stop ends nothing."""

from __future__ import annotations

import numpy as np
import pytest

from audio import sentences


def parted(text: str, language: str = "en") -> list[str]:
    return [text[first:last] for first, last in sentences.split(text, language=language)]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three? Four", 4),
        ("Dr. Smith met Mr. J. S. Bach at 3.5 km from example.com. He left.", 2),
        ('"Stop!" he said. "Why?" She asked.', 3),
        ("He left... and came back… Then he sat.", 2),
        ("Wait?! No... Yes.", 3),
        ("At 5 p.m. we met. At 6 a.m. They left.", 3),
        ("See Fig. 3 and No. 5. I said no. 'Why?' (Because.) So.", 5),
        ("Fruit etc. was sold. Nuts etc. They went.", 3),
        ("1. First mix it. 2. Then bake it.", 2),
        ("It was I. Then he came.", 2),
        ("A heading\n\nand then a text", 2),
        ("Lines that\nare only wrapped", 1),
        ("はい。いいえ。", 2),
        ("...", 1),
        (" \n ", 0),
    ],
)
def test_english_ends_its_sentences(text: str, count: int) -> None:
    assert len(parted(text)) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Am 3. Mai kam Dr. Müller. Er ging.", 2),
        ("Das ist z. B. Obst, d. h. Äpfel u. a. Früchte. Gut.", 2),
        ("Es kostet 3,5 Mio. Euro, also ca. 1.000.000 Dollar. Viel!", 2),
        ("„Halt!“, rief er. »Warum?« Sie ging.", 3),
        ("Brot, Käse usw. Dann kam er.", 2),
        ("Den, den ich mag. Dann gehe ich.", 2),
        ("Im 19. Jahrhundert. Ja.", 2),
    ],
)
def test_german_ends_its_sentences(text: str, count: int) -> None:
    assert len(parted(text, "de-AT")) == count


def test_nothing_but_blanks_lies_between_sentences() -> None:
    """Of random rows of what sentences are made of."""
    rng = np.random.default_rng(0)
    pieces = ["a", "B", "Dr", ".", "..", "!", "?", "…", " ", " ", "\n", "\n\n", '"', "“", ")", "3"]
    for _ in range(500):
        text = "".join(rng.choice(pieces, 40))
        assert "".join("".join(parted(text)).split()) == "".join(text.split())


def test_a_long_row_of_full_stops_that_end_nothing_is_read_in_time() -> None:
    assert len(parted("a. " * 100_000)) == 1
