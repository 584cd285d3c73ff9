from __future__ import annotations

import pytest

from sdcore.errors import PromptError
from sdcore.prompt.matrix import Label, matrix


def test_combinations_come_in_the_field_s_order() -> None:
    assert matrix("a|b, | c").prompts == ("a", "a, b", "a, c", "a, b, c")
    assert matrix("a|b|c|d").prompts[4:] == ("a, d", "a, b, d", "a, c, d", "a, b, c, d")
    assert matrix("a|b|c", at_start=True, joint=" ").prompts == ("a", "b a", "c a", "b c a")
    assert matrix("a").prompts == ("a",)


@pytest.mark.parametrize(
    ("parts", "columns", "rows"), [(0, 1, 1), (1, 2, 1), (2, 2, 2), (3, 4, 2), (4, 4, 4), (5, 8, 4)]
)
def test_the_sheet_is_as_wide_as_the_larger_half(parts: int, columns: int, rows: int) -> None:
    found = matrix("|".join(["x", *"abcde"[:parts]]))
    assert (len(found.columns), len(found.rows)) == (columns, rows)
    assert len(found.prompts) == 2**parts == columns * rows


def test_the_labels_say_what_is_in_each_picture() -> None:
    found = matrix("x|a|b|c")
    for n, prompt in enumerate(found.prompts):
        row, column = divmod(n, len(found.columns))
        labels = found.columns[column] + found.rows[row]
        assert [label.text for label in labels] == ["a", "b", "c"]
        assert prompt == ", ".join(["x", *(label.text for label in labels if label.is_on)])
    assert found.rows == ((Label(text="c", is_on=False),), (Label(text="c", is_on=True),))


def test_too_many_parts_are_refused() -> None:
    with pytest.raises(PromptError, match="11 parts, 2 \\*\\* 11 pictures: give at most 10"):
        matrix("a" + "|b" * 11)
