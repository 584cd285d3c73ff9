"""Networks and the files that they come from: the one home of diffusers and transformers."""

from __future__ import annotations

from sdcore.models.hub import fetch

__all__ = ["fetch"]
