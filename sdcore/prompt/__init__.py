"""The prompt language: a text in, a tree of weighted texts out, and back."""

from __future__ import annotations

from sdcore.prompt.ast import Node, Prompt, Span, Text, Weighted
from sdcore.prompt.parse import parse

__all__ = ["Node", "Prompt", "Span", "Text", "Weighted", "parse"]
