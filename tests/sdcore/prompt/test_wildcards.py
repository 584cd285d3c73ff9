from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from sdcore.errors import PromptError
from sdcore.prompt.wildcards import MAX_DEPTH, drawn, read

LINES = {
    "color": ("red", "blue"),
    "colour": ("green",),
    "deep/animal": ("a __color__ cat",),
    "deep/er/thing": ("stone",),
    "weighted": ("3::often", "rare"),
    "round": ("__about__",),
    "about": ("x __round__",),
    "self": ("__self__",),
    "twins": ("{__twins2__|__twins2__}",),
    "empty": (),
}


def _all(text: str) -> Counter[str]:
    return Counter(drawn(text, LINES, seed=seed) for seed in range(400))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("plain (a:1.2) [a|b] a|b", {"plain (a:1.2) [a|b] a|b"}),
        ("a __color__ b", {"a red b", "a blue b"}),
        ("__colo*__", {"red", "blue", "green"}),
        ("__deep/animal__", {"a red cat", "a blue cat"}),
        ("__*/animal__", {"a red cat", "a blue cat"}),
        ("__deep/*__", {"a red cat", "a blue cat"}),
        ("{a|b|c}", {"a", "b", "c"}),
        ("{a|{b|c}d}", {"a", "bd", "cd"}),
        ("{a|}", {"a", ""}),
        ("{0::a|b}", {"b"}),
        ("{2$$a|b}", {"a, b", "b, a"}),
        ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{1-2$$a|b}", {"a", "b", "a, b", "b, a"}),
        ("{0$$a|b}", {""}),
        ("{-1$$a|b}", {"", "a", "b"}),
        ("{2-$$a|b}", {"a, b", "b, a"}),
        ("{__color__|x}", {"red", "blue", "x"}),
        (r"\{a|b\}", {"{a|b}"}),
        (r"\(a\) {x|x\|y}", {r"\(a\) x", r"\(a\) x\|y"}),
        ("{a", {"{a"}),
        ("a}", {"a}"}),
        ("{a{b|b}", {"{ab"}),
        ("____ __ _", {"____ __ _"}),
    ],
)
def test_what_a_text_may_become(text: str, words: set[str]) -> None:
    assert set(_all(text)) == words


def test_equal_seeds_draw_equal_words() -> None:
    text = "{a|b|c} __color__ {2$$d|e|f}"
    assert drawn(text, LINES, seed=3) == drawn(text, LINES, seed=3)
    assert len(_all(text)) == 3 * 2 * 6


@pytest.mark.parametrize("text", ["{3::often|rare}", "__weighted__"])
def test_weights_weigh(text: str) -> None:
    found = _all(text)
    assert set(found) == {"often", "rare"}
    assert 250 < found["often"] < 350  # 300 of 400, give or take 6 deviations


def test_an_option_that_is_not_taken_draws_nothing() -> None:
    assert drawn("{0::__unknown__|a}", LINES, seed=0) == "a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__colr__", "unknown wildcard __colr__: nearest __color__; known: "),
        ("__empty__", "has no lines"),
        ("__self__", "back to itself: __self__ -> __self__;"),
        ("{__round__}", "back to itself: __round__ -> __about__ -> __round__;"),
        ("{3$$a|b}", "draws 3 of 2"),
        ("{2-1$$a|b}", "draws 2-1 of 2"),
        ("{" * (MAX_DEPTH + 2) + "a" + "}" * (MAX_DEPTH + 2), "nest deeper than 32"),
        ("{a|b}" * 10_001, "more than 10000"),
    ],
)
def test_what_cannot_be_drawn_is_refused(text: str, message: str) -> None:
    with pytest.raises(PromptError, match=re.escape(message)):
        drawn(text, LINES, seed=0)


def test_lines_that_each_name_two_others_come_to_an_end() -> None:
    lines = {f"l{i}": (f"__l{i + 1}____l{i + 1}__",) for i in range(30)} | {"l30": ("{|}",)}
    with pytest.raises(PromptError, match="more than 10000"):
        drawn("__l0__", lines, seed=0)


def test_a_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.c.txt").write_text("\ufeff# no\n\n red \nblue # yes\n", encoding="utf-8")
    (tmp_path / "top.txt").write_text("x", encoding="utf-8")
    (tmp_path / "other.csv").write_text("y", encoding="utf-8")
    assert read(tmp_path) == {"a/b.c": ("red", "blue # yes"), "top": ("x",)}


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(PromptError, match="'a.txt' are no UTF-8"):
        read(tmp_path)
