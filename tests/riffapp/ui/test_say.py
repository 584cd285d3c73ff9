"""Sentences on the page."""

from __future__ import annotations

import pytest

from riffapp.ui import say


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the prompt is empty", "The prompt is empty."),
        ("really?", "Really?"),
        ("RIFFAPP_X is 1.", r"RIFFAPP\_X is 1."),
        ("<img src=x>", r"\<img src=x\>."),
        ("a $b$ :red[c] `d`", r"A \$b\$ \:red\[c\] \`d\`."),
    ],
)
def test_a_sentence_has_a_capital_and_an_end_and_no_markup(text: str, shown: str) -> None:
    assert say.sentence(text) == shown
