from __future__ import annotations

from typing import Literal

import pytest

from sdcore.prompt.compose import composed
from sdcore.prompt.styles import Style

# A style that brings a wildcard, whose lines bring a matrix: the order shows.
STYLES = {"s": Style(name="s", prompt="{prompt} __w__", negative="n|__w__")}
LINES = {"w": ("x|y",)}


@pytest.mark.parametrize(
    ("over", "results"),
    [
        ("none", (("a x|y", "n|x|y"),)),
        ("prompt", (("a x", "n|x|y"), ("a x, y", "n|x|y"))),
        ("negative", (("a x|y", "n"), ("a x|y", "n, x"), ("a x|y", "n, y"), ("a x|y", "n, x, y"))),
    ],
)
def test_styles_then_wildcards_then_the_matrix(
    over: Literal["none", "prompt", "negative"], results: tuple[tuple[str, str], ...]
) -> None:
    found = composed("a", seed=0, names=["s"], styles=STYLES, lines=LINES, over=over)
    assert (found.template, found.negative_template) == ("a __w__", "n|__w__")
    assert found.results == results
    assert (found.matrix is None) == (over == "none")


def test_the_seed_draws() -> None:
    assert composed("{a|b|c|d}", seed=1) == composed("{a|b|c|d}", seed=1)
    assert len({composed("{a|b|c|d}", seed=seed).results for seed in range(50)}) == 4
