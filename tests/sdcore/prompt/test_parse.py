"""The rows marked as the field's are those of its documentation of attention."""

from __future__ import annotations

import random
import time

import pytest

from sdcore.prompt import Prompt, Span, Text, Weighted, parse
from sdcore.prompt.parse import MAX_DEPTH


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("normal text", [("normal text", 1.0)]),  # the field's
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),  # the field's
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),  # the field's
        (r"\(literal\]", [("(literal]", 1.0)]),  # the field's
        ("[less]", [("less", 1 / 1.1)]),
        ("((twice))", [("twice", 1.1 * 1.1)]),
        ("(a:1.5) b", [("a", 1.5), (" b", 1.0)]),
        ("(a: 1.5 )", [("a", 1.5)]),
        ("(a:+.5)", [("a", 0.5)]),
        ("(a:-2.)", [("a", -2.0)]),
        ("((a:1.5):2)", [("a", 3.0)]),
        ("[a:1.5]", [("a:1.5", 1 / 1.1)]),
        ("(a:1..5)", [("a:1..5", 1.1)]),
        ("(a:b)", [("a:b", 1.1)]),
        (r"(a\:1.5)", [("a:1.5", 1.1)]),
        (r"back\\slash, \lone, end\\", [("back\\slash, lone, end\\", 1.0)]),
        ("(a:" + "9" * 400 + ")", [("a:" + "9" * 400, 1.1)]),
        ("()", []),
    ],
)
def test_attention(text: str, spans: list[tuple[str, float]]) -> None:
    assert parse(text).spans() == tuple(Span(*span) for span in spans)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("(open", [("(open", 1.0)]),
        ("shut)", [("shut)", 1.0)]),
        ("shut:1.5) on", [("shut:1.5) on", 1.0)]),
        ("[open (closed)", [("[open ", 1.0), ("closed", 1.1)]),
        ("(a [b) c]", [("a [b", 1.1), (" c]", 1.0)]),
        ("(a]", [("(a]", 1.0)]),
    ],
)
def test_a_bracket_without_a_partner_is_text(text: str, spans: list[tuple[str, float]]) -> None:
    assert parse(text).spans() == tuple(Span(*span) for span in spans)


def test_brackets_deeper_than_the_limit_are_text() -> None:
    deep = MAX_DEPTH + 3
    (span,) = parse("(" * deep + "a" + ")" * deep).spans()
    assert span.text == "(((a)))"
    assert span.weight == pytest.approx(1.1**MAX_DEPTH)


@pytest.mark.parametrize(
    ("prompt", "printed"),
    [
        (Prompt((Text("a (b) \\"),)), r"a \(b\) \\"),
        (Prompt((Weighted((Text("a"),), 1.1),)), "(a)"),
        (Prompt((Weighted((Text("a"),), 1 / 1.1),)), "[a]"),
        (Prompt((Weighted((Text("a"),), 1e-05),)), "(a:0.00001)"),
        (Prompt((Weighted((Text("a:2"),), 1.1),)), "(a:2:1.1)"),
    ],
)
def test_a_prompt_prints(prompt: Prompt, printed: str) -> None:
    assert str(prompt) == printed
    assert parse(printed) == prompt


def test_what_is_printed_reads_as_it_was() -> None:
    draw = random.Random(0)
    for _ in range(4000):
        text = "".join(draw.choices("(())[]::\\ ab1.5-,é\n", k=draw.randrange(30)))
        prompt = parse(text)
        assert parse(str(prompt)) == prompt, text


@pytest.mark.parametrize(
    "pattern", ["(", ")", "[", "]", ":", "\\", "()", "([)]", "(a:1.5", ": ", ":1", "((]", "(a:1.2)"]
)
def test_hostile_text_takes_linear_time(pattern: str) -> None:
    """Eight times the text takes about eight times as long: were it squared, it would be 64."""
    small, large = (_seconds(pattern * n) for n in (1_000, 8_000))
    assert large < 30 * small + 0.05


def _seconds(text: str) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        str(parse(text))
        best = min(best, time.process_time() - start)
    return best
