from __future__ import annotations

from typing import Any

import pytest

from sdcore.prompt import ActiveLora, Span, parse, schedule


def _texts(text: str, *, steps: int = 10, compat: Any = "ours", **how: Any) -> list[str]:
    """The words at each count of the run."""
    (part,) = schedule(parse(text, compat=compat), steps=steps, compat=compat, **how)
    found: list[str] = []
    for segment in part.segments:
        words = " BREAK ".join("".join(span.text for span in block) for block in segment.blocks)
        found += [words] * (segment.until - len(found))
    return found


def _runs(*runs: tuple[str, int]) -> list[str]:
    return [words for words, times in runs for _ in range(times)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", [("a", 10)]),
        ("[a:b:1]", [("a", 1), ("b", 9)]),
        ("[a:b:4]", [("a", 4), ("b", 6)]),
        ("[a:b:1.0]", [("a", 10)]),
        ("[a:b:0.05]", [("b", 10)]),
        ("[a:b:0]", [("b", 10)]),
        ("[a:b:10]", [("a", 10)]),
        ("[a:b:99999999999999999999]", [("a", 10)]),
        ("[a:b:5.]", [("a", 10)]),
        ("[a:b:5e-1]", [("a", 5), ("b", 5)]),
        ("[b:0.3]", [("", 3), ("b", 7)]),
        ("[a::0.3]", [("a", 3), ("", 7)]),
        ("[a:[b:c:6]:3]", [("a", 3), ("b", 3), ("c", 4)]),
        ("[a:[b:c:3]:6]", [("a", 6), ("c", 4)]),
        ("[[a:b:2]:c:6]", [("a", 2), ("b", 4), ("c", 4)]),
        ("[a:b:2][c:d:6]", [("ac", 2), ("bc", 4), ("bd", 4)]),
        ("[a|b]", [("a", 1), ("b", 1)] * 5),
        ("[a|b|]", [*[("a", 1), ("b", 1), ("", 1)] * 3, ("a", 1)]),
        ("[a|a]", [("a", 10)]),
        ("[[a|b]:c:3]", [("a", 1), ("b", 1), ("a", 1), ("c", 7)]),
        ("[[a:b:2]|c]", [("a", 1), ("c", 1), *[("b", 1), ("c", 1)] * 4]),
        ("[a BREAK b:c:5]", [("a BREAK b", 5), ("c", 5)]),
    ],
)
def test_words_stand_for_exactly_their_steps(text: str, words: list[tuple[str, int]]) -> None:
    assert _texts(text) == _runs(*words)
    assert _texts(text, evaluations=2) == _runs(*words)


def test_a_share_that_is_a_whole_number_of_steps_is_not_rounded_down() -> None:
    assert _texts("[a:b:0.29]", steps=100).index("b") == 29


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a:b:0.5]", [("b", 10)]),
        ("[a:b:1.0]", [("b", 10)]),
        ("[a:b:1.5]", [("a", 5), ("b", 5)]),
        ("[a:b:2.0]", [("a", 10)]),
        ("[a:b:5]", [("b", 10)]),
        ("[a:b:20]", [("b", 10)]),
        ("[a:b:23]", [("a", 3), ("b", 7)]),
        ("[a:b:99]", [("a", 10)]),
        ("[a|b]", [("a", 1), ("b", 1)] * 5),
    ],
)
def test_a_hires_pass_counts_on_from_the_first_one(text: str, words: list[tuple[str, int]]) -> None:
    assert _texts(text, first_pass=20) == _runs(*words)


@pytest.mark.parametrize(
    ("text", "evaluations", "words"),
    [
        ("[a:b:1]", 1, [("a", 2), ("b", 8)]),
        ("[a:b:1.0]", 1, [("a", 10)]),
        ("[a:b:0.05]", 1, [("b", 10)]),
        ("[a:b:0.3]", 1, [("a", 4), ("b", 6)]),
        ("[a:b:9]", 1, [("a", 10)]),
        ("[a|b]", 1, [("a", 2), *[("b", 1), ("a", 1)] * 4]),
        ("[a:b:4]", 2, [("a", 5), ("b", 15)]),
        ("[a:b:0.3]", 2, [("a", 7), ("b", 13)]),
        ("[a|b]", 2, [("a", 2), *[("b", 1), ("a", 1)] * 9]),
    ],
)
def test_the_reference_counts_evaluations_and_lags_by_one(
    text: str, evaluations: int, words: list[tuple[str, int]]
) -> None:
    assert _texts(text, compat="a1111", evaluations=evaluations) == _runs(*words)


def test_the_reference_counts_a_hires_pass_in_evaluations_too() -> None:
    words = _texts("[a:b:43]", compat="a1111", evaluations=2, first_pass=20)
    assert words == _runs(("a", 4), ("b", 16))
    assert _texts("[a:b:1.5]", compat="a1111", first_pass=20) == _runs(("a", 6), ("b", 4))


def test_equal_neighbours_are_one_segment() -> None:
    (part,) = schedule(parse("[a:a:3] [b|b]"), steps=10)
    assert [segment.until for segment in part.segments] == [10]


def test_and_gives_one_timeline_to_each_part() -> None:
    first, second = schedule(parse("a AND [b:c:4] :0.5"), steps=10)
    assert (first.weight, second.weight) == (1.0, 0.5)
    assert [segment.until for segment in first.segments] == [10]
    assert [segment.until for segment in second.segments] == [4, 10]


def test_break_in_a_bracket_parts_and_the_weight_goes_on() -> None:
    (part,) = schedule(parse("x (a BREAK b:1.3)"), steps=1)
    assert part.segments[0].blocks == ((Span("x ", 1.0), Span("a", 1.3)), (Span("b", 1.3),))
    assert len(schedule(parse("BREAK a BREAK BREAK"), steps=1)[0].segments[0].blocks) == 4


def test_break_in_a_bracket_is_a_word_for_the_reference() -> None:
    prompt = parse("(a BREAK b:1.3) BREAK c", compat="a1111")
    (part,) = schedule(prompt, steps=1, compat="a1111")
    assert part.segments[0].blocks == (
        (Span("a", 1.3), Span("BREAK", -1.3), Span("b", 1.3)),
        (Span("c", 1.0),),
    )


def _strengths(text: str, **how: Any) -> list[list[ActiveLora]]:
    (part,) = schedule(parse(text), **how)
    found: list[list[ActiveLora]] = []
    for segment in part.segments:
        found += [list(segment.loras)] * (segment.until - len(found))
    return found


def _lora(name: str, te: float, unet: float) -> ActiveLora:
    return ActiveLora(name=name, te=te, unet=unet)


def test_lora_tags_are_edited_as_words_are_and_leave_no_words() -> None:
    found = _strengths("x[<lora:a:1>:<lora:b:0.5:2>:0.5]", steps=4)
    assert found == [[_lora("a", 1.0, 1.0)]] * 2 + [[_lora("b", 0.5, 2.0)]] * 2
    assert _texts("x[<lora:a:1>:<lora:b:1>:0.5]", steps=4) == ["x"] * 4


def test_brackets_do_not_weigh_a_lora_and_strength_0_is_none() -> None:
    assert _strengths("(<lora:a:1>:0.5)<lora:b:0>", steps=1) == [[_lora("a", 1.0, 1.0)]]


@pytest.mark.parametrize(
    ("strength", "te"),
    [
        ("0.25@0,1@0.75", [0.25, 0.5, 0.75, 1.0]),
        ("0.25@0,1@3", [0.25, 0.5, 0.75, 1.0]),
        ("1@3,0.25@0", [0.25, 0.5, 0.75, 1.0]),
        ("1@0.5", [1.0, 1.0, 1.0, 1.0]),
        ("1@1,2@2", [1.0, 1.0, 2.0, 2.0]),
        ("1@2,2@2", [1.0, 1.0, 2.0, 2.0]),
    ],
)
def test_a_lora_s_strength_goes_in_straight_lines_between_its_points(
    strength: str, te: list[float]
) -> None:
    found = _strengths(f"<lora:a:{strength}:0.5>", steps=4)
    assert found == [[_lora("a", pytest.approx(value), 0.5)] for value in te]


def test_a_lora_s_points_fall_as_edits_do_in_a_hires_pass() -> None:
    found = _strengths("<lora:a:0.5@0,0.5@1.0,1@1.5>", steps=4, first_pass=20)
    assert [loras[0].unet for loras in found] == pytest.approx([0.5, 0.75, 1.0, 1.0])
