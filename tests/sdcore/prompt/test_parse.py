"""The rows marked as the field's are those of its documentation of attention."""

from __future__ import annotations

import random
import runpy
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sdcore.prompt import (
    Alternate,
    Break,
    Edit,
    Lora,
    Node,
    Part,
    Point,
    Prompt,
    Span,
    Text,
    Weighted,
    When,
    parse,
)
from sdcore.prompt.ast import ROUND, SQUARE
from sdcore.prompt.parse import MAX_DEPTH

FUZZ = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[3] / "bench" / "fuzz.py")))


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
        ("[a:b]", [("a:b", 1 / 1.1)]),
        ("(a:1..5)", [("a:1..5", 1.1)]),
        ("(a:b)", [("a:b", 1.1)]),
        (r"(a\:1.5)", [("a:1.5", 1.1)]),
        (r"back\\slash, \lone, end\\", [("back\\slash, lone, end\\", 1.0)]),
        ("(a:" + "9" * 400 + ")", [("a:" + "9" * 400, 1.1)]),
        ("()", []),
        ("16:9, a|b", [("16:9, a|b", 1.0)]),
        ("a <lora:b:1>c", [("a c", 1.0)]),
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


A, B, C = Text("a"), Text("b"), Text("c")
STEP_5, HALF = When(5.0, False), When(0.5, True)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("[a:b:5]", Edit((A,), (B,), STEP_5)),
        ("[a:b: 0.5 ]", Edit((A,), (B,), HALF)),
        ("[b:5]", Edit((), (B,), STEP_5)),
        ("[a::5]", Edit((A,), (), STEP_5)),
        ("[:5]", Edit((), (), STEP_5)),
        ("[a:b:5.]", Edit((A,), (B,), When(5.0, True))),
        ("[a:b:5e-1]", Edit((A,), (B,), HALF)),
        ("[a:b:.5]", Edit((A,), (B,), HALF)),
        ("[a|b]", Alternate(((A,), (B,)))),
        ("[a||b|]", Alternate(((A,), (), (B,), ()))),
        ("[a:[b:c:5]:0.5]", Edit((A,), (Edit((B,), (C,), STEP_5),), HALF)),
        ("[(a:1.5):b:5]", Edit((Weighted((A,), 1.5),), (B,), STEP_5)),
        ("[[a|b]:c:5]", Edit((Alternate(((A,), (B,))),), (C,), STEP_5)),
        (r"[a\:b:5]", Edit((), (Text("a:b"),), STEP_5)),
        (r"[a\|b]", Weighted((Text("a|b"),), SQUARE)),
        ("(a BREAK b:1.3)", Weighted((A, Break(), B), 1.3)),
        ("(a|b)", Weighted((Text("a|b"),), ROUND)),
        ("<lora:a>", Lora("a")),
        ("<lora:a:0.5>", Lora("a", 0.5, 0.5)),
        ("<lora:a:0.5:1>", Lora("a", 0.5, 1.0)),
        ("<lora:a b.v2:unet=0.5:te=-1>", Lora("a b.v2", -1.0, 0.5)),
        ("<lora:a:te=0.5>", Lora("a", 0.5, 0.5)),
        ("<lora:a:unet=0.5>", Lora("a", 1.0, 0.5)),
        ("<lyco:a:2>", Lora("a", 2.0, 2.0)),
        (
            "<lora:a:0.2@0,1@0.5:1>",
            Lora("a", (Point(0.2, When(0.0, False)), Point(1.0, HALF)), 1.0),
        ),
        (
            "[<lora:a:1>:<lora:b:1>:0.5]",
            Edit((Lora("a", 1.0, 1.0),), (Lora("b", 1.0, 1.0),), HALF),
        ),
    ],
)
def test_a_node(text: str, node: Node) -> None:
    prompt = parse(text)
    assert prompt == Prompt((Part((node,)),))
    assert prompt.warnings == ()


def test_and_joins_parts_with_weights() -> None:
    prompt = parse("a AND b :0.5 AND c:-2. AND")
    assert prompt.parts == (Part((A,)), Part((B,), 0.5), Part((C,), -2.0), Part(()))
    assert parse("(a)\nAND\n[b:0.5]").parts[1] == Part((Edit((), (B,), HALF),))


@pytest.mark.parametrize("text", ["BRAND", "ANDROID", "and", r"a \AND b", "_AND_", r"\BREAK"])
def test_other_words_join_nothing(text: str) -> None:
    assert parse(text) == Prompt((Part((Text(text.replace("\\", "")),)),))


def test_a_number_at_the_end_is_a_weight_only_where_there_is_and() -> None:
    assert parse("sky, :99").parts == (Part((Text("sky, :99"),)),)
    assert parse("sky, :99", compat="a1111").parts == (Part((Text("sky,"),), 99.0),)
    assert parse(":3", compat="a1111").parts == (Part((), 3.0),)
    assert parse(r"a AND b\:3").parts[1] == Part((Text("b:3"),))
    assert parse(f"a AND b:{'9' * 400}").parts[1].weight == 1.0


def test_and_in_a_bracket_is_a_word_but_splits_it_as_the_reference_does() -> None:
    prompt = parse("[a AND b:c:2]")
    assert prompt.parts == (Part((Edit((Text("a AND b"),), (C,), When(2.0, False)),)),)
    assert [w.position for w in prompt.warnings] == [3]
    halves = parse("[a AND b:c:2]", compat="a1111").parts
    assert halves == (Part((Weighted((Text("a "),), SQUARE),)), Part((Text("b:c:2]"),)))
    # The bracket that turns out to be none holds nothing together.
    assert len(parse("(a AND b").parts) == 2


@pytest.mark.parametrize("compat", ["ours", "a1111"])
def test_a_negative_prompt_is_one_part(compat: Any) -> None:
    prompt = parse("a AND (b) :2", compat=compat, is_joined=False)
    assert [span.text for span in prompt.spans()] == ["a AND ", "b", " :2"]
    assert [part.weight for part in prompt.parts] == [1.0]
    assert [warning.position for warning in prompt.warnings] == [2]
    assert parse(str(prompt), compat=compat, is_joined=False) == prompt


def test_a_bracket_that_is_left_open_holds_to_the_end_for_the_reference() -> None:
    assert parse("a (b", compat="a1111").spans() == (Span("a ", 1.0), Span("b", 1.1))


@pytest.mark.parametrize(
    ("text", "positions", "word"),
    [
        ("a (b", [2], "'(' has no partner"),
        ("a b]", [3], "']' has no partner"),
        ("(a [b)", [3], "'[' has no partner"),
        ("xx (a:1..5)", [5], "':1..5' is no weight"),
        ("a [b:c]", [6], "no edit"),
        ("[a:b:c:5]", [8], "no edit"),
        ("[a:b:-1]", [7], "no edit"),
        ("[a|b:5]", [4], "nest it"),
        ("(a AND b)", [3], "AND in a bracket"),
        ("a <lora:b:x>", [2], "'<lora:b:x>' is no LoRA"),
        ("a <lora:>", [2], "'<lora:>' is no LoRA"),
        ("<lora:b:1:1:8>", [0], "says dyn, which is left out"),
        ("(" * 65 + ")" * 65, [64], "nested deeper than 64"),
        (") a (", [0, 4], "has no partner"),
        ("(a:b), 16:9, \\(, [a:b:5] (a:1.5)", [], ""),
    ],
)
def test_what_stays_text_is_warned_of_where_it_stands(
    text: str, positions: list[int], word: str
) -> None:
    warnings = parse(text).warnings
    assert [warning.position for warning in warnings] == positions
    assert all(word in warning.message for warning in warnings)


@pytest.mark.parametrize(
    ("nodes", "printed"),
    [
        ((Text("a (b) \\"),), r"a \(b\) \\"),
        ((Text("AND BREAK BRAND"),), r"\AND \BREAK BRAND"),
        ((Text("16:9 :3"),), r"16:9 \:3"),
        ((Text("<lora:a:1>"),), r"\<lora:a:1>"),
        ((Weighted((A,), ROUND),), "(a)"),
        ((Weighted((A,), SQUARE),), "[a]"),
        ((Weighted((A,), 1e-05),), "(a:0.00001)"),
        ((Weighted((Text("a:2"),), ROUND),), r"(a\:2)"),
        ((A, Break(), B), "a BREAK b"),
        ((Edit((A,), (B,), HALF),), "[a:b:0.5]"),
        ((Edit((), (B,), STEP_5),), "[b:5]"),
        ((Alternate(((A,), (), (B,))),), "[a||b]"),
        ((Lora("a", 1.0, 0.5),), "<lora:a:1:0.5>"),
        ((Lora("a", (Point(1.0, HALF), Point(0.0, STEP_5)), 2.0),), "<lora:a:1@0.5,0@5:2>"),
    ],
)
def test_a_prompt_prints(nodes: tuple[Node, ...], printed: str) -> None:
    prompt = Prompt((Part(nodes),))
    assert str(prompt) == printed
    assert parse(printed) == prompt


def test_and_prints() -> None:
    prompt = Prompt((Part((A,)), Part((Text("b:2"),), 0.5)))
    assert str(prompt) == r"a AND b\:2 :0.5"
    assert parse(str(prompt)) == prompt


@pytest.mark.parametrize("compat", ["ours", "a1111"])
def test_what_is_printed_reads_as_it_was(compat: Any) -> None:
    draw = random.Random(0)
    for _ in range(4000):
        text = FUZZ.hostile(draw, 25)
        prompt = parse(text, compat=compat)
        assert parse(str(prompt), compat=compat) == prompt, text
        for warning in prompt.warnings:
            assert 0 <= warning.position < len(text)


def _words(draw: random.Random) -> Text:
    return Text("".join(draw.choices(("a", "(", ":", "|", "AND", "\\", "<lora:", "5", "\n"), k=3)))


def _tree(draw: random.Random, depth: int) -> tuple[Node, ...]:
    """Nodes as the parser gives them: no two texts side by side, none with space at a BREAK."""
    nodes: list[Node] = [_words(draw)]
    for _ in range(draw.randrange(4) if depth else 0):
        kind = draw.randrange(5)
        inner = [_tree(draw, depth - 1) for _ in range(draw.randrange(2, 4))]
        when = When(draw.choice((0.25, 1.5)), True) if draw.random() < 0.5 else STEP_5
        factor = draw.choice((ROUND, SQUARE, 1.5, -2.0, 1e-3))
        nodes += [
            (Weighted(inner[0], factor), Edit(inner[0], inner[1], when), Alternate(tuple(inner)))[
                kind % 3
            ]
            if kind < 3
            else Lora("a b", 0.5, ((Point(1.0, when),), 2.0)[kind % 2])
        ]
        nodes.append(Text(f"x{draw.randrange(9)}"))
    return tuple(nodes)


def test_every_tree_prints_and_reads_as_it_was() -> None:
    draw = random.Random(1)
    for _ in range(1500):
        nodes = _tree(draw, 3)
        ends = Text("x")
        weight = draw.choice((1.0, 0.5, -3.0))
        prompt = Prompt((Part((ends, Break(), ends)), Part((Lora("l"), *nodes, Lora("m")), weight)))
        assert parse(str(prompt)) == prompt, str(prompt)


def test_a_deep_mixture_of_brackets_reads() -> None:
    text = FUZZ.nested(MAX_DEPTH)
    assert parse(text).warnings == ()
    assert parse(str(parse(text))) == parse(text)


def test_five_hundred_hostile_texts_break_nothing() -> None:
    """The short twin of bench/fuzz.py."""
    draw = random.Random(2)
    for _ in range(500):
        FUZZ.use(FUZZ.hostile(draw, 40))


@pytest.mark.parametrize("pattern", FUZZ.PATTERNS.values(), ids=FUZZ.PATTERNS)
def test_hostile_text_takes_linear_time(pattern: str) -> None:
    """Eight times the text takes about eight times as long: were it squared, it would be 64."""
    small, large = (_seconds(pattern * n) for n in (500, 4_000))
    assert large < 30 * small + 0.05


def _seconds(text: str) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        str(parse(text))
        best = min(best, time.process_time() - start)
    return best
