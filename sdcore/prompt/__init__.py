"""The prompt language: a text in, a tree of weighted texts out, and back."""

from __future__ import annotations

from sdcore.prompt.ast import (
    Alternate,
    Break,
    Edit,
    Lora,
    Node,
    Part,
    Point,
    Prompt,
    PromptWarning,
    Span,
    Text,
    Weighted,
    When,
)
from sdcore.prompt.parse import parse
from sdcore.prompt.schedule import ActiveLora, Scheduled, Segment, schedule

__all__ = [
    "ActiveLora",
    "Alternate",
    "Break",
    "Edit",
    "Lora",
    "Node",
    "Part",
    "Point",
    "Prompt",
    "PromptWarning",
    "Scheduled",
    "Segment",
    "Span",
    "Text",
    "Weighted",
    "When",
    "parse",
    "schedule",
]
