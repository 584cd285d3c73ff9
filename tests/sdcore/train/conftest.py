"""The tiny checkpoints of each family, which the tests of models make."""

from __future__ import annotations

import importlib.util
from pathlib import Path

_PATH = Path(__file__).parents[1] / "models" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("tiny_families", _PATH)
assert _SPEC is not None and _SPEC.loader is not None
_FAMILIES = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_FAMILIES)

family_folder = _FAMILIES.family_folder
