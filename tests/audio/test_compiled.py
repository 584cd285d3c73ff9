"""That two processes do not compile librosa at once."""

import subprocess
import sys
import textwrap
from pathlib import Path

_MODULE = """
import os, time
from pathlib import Path
here = Path(os.environ["SEEN"]) / str(os.getpid())
here.write_text(f"{time.monotonic()}")
time.sleep(0.5)
here.write_text(here.read_text() + f" {time.monotonic()}")
"""


def test_a_second_process_waits_until_the_first_has_compiled(tmp_path: Path) -> None:
    """A package of librosa's name stands for it, which is slow to load and notes when it was."""
    for name in ("librosa", "librosa/core", "librosa/util"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    for name in ("beat", "core/audio", "core/pitch"):
        (tmp_path / "librosa" / f"{name}.py").touch()
    (tmp_path / "librosa/util/utils.py").write_text(textwrap.dedent(_MODULE))
    seen = tmp_path / "seen"
    seen.mkdir()
    root = Path(__file__).parents[2]
    environment = {
        "PYTHONPATH": f"{tmp_path}:{root}",
        "SEEN": str(seen),
        "TMPDIR": str(tmp_path),
    }
    code = "from audio.compiled import librosa; assert librosa().util.utils"
    started = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(3)]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    times = sorted(tuple(map(float, file.read_text().split())) for file in seen.iterdir())
    assert len(times) == 3
    assert all(before[1] <= after[0] for before, after in zip(times[:-1], times[1:], strict=True))
