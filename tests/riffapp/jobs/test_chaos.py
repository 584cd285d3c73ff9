"""Worker and server killed in mid-work: a short run of `make chaos`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHAOS = Path(__file__).resolve().parents[3] / "bench" / "chaos.py"


def test_nothing_is_lost_when_worker_and_server_are_killed(tiny: Path) -> None:
    words = [sys.executable, str(CHAOS), "--kills", "3", "--seed", "1", "--checkpoint", str(tiny)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 x server, 2 x worker" in done.stdout
    assert "0 faults" in done.stdout
