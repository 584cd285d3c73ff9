"""A short twin of bench/journey.py: on the embedded model a timeline goes from A to B, no jump."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from riffapp.studio import checkpoints


@pytest.fixture
def bench() -> ModuleType:
    path = Path(__file__).parents[2] / "bench" / "journey.py"
    spec = importlib.util.spec_from_file_location("bench_journey", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_timeline_goes_its_way_without_a_jump(bench: ModuleType) -> None:
    instrument = checkpoints.load("loops", device="cpu", threads=1)
    takes = [bench.pieces(instrument, "timeline", *bench.PAIRS[0], seed) for seed in (0,)]
    chroma, onsets = bench.correlations(takes)
    assert chroma >= 0.8 and onsets >= 0.8
    worst, limit = bench.jumps(takes)
    assert worst <= limit
