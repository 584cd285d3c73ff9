"""The prompt language: a text in, a tree of weighted texts out, and back."""

from __future__ import annotations

from sdcore.prompt.ast import Node, Prompt, Span, Text, Weighted
from sdcore.prompt.parse import parse
from sdcore.prompt.schedule import Scheduled, Segment, schedule

__all__ = [
    "Node",
    "Prompt",
    "Scheduled",
    "Segment",
    "Span",
    "Text",
    "Weighted",
    "parse",
    "schedule",
]
