"""Files written as their sound is made: the same as written at once, whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audio import files
from audio.errors import ParameterError
from audio.stream import write_blocks
from audio.types import Clip, Samples, Tempo

TEMPO = Tempo(bpm=123.4, beats=8)
TAGS = {"riffapp": '{"kind": "loop"}', "parameters": "house drums"}


def _sound(channels: int = 1) -> Clip:
    rng = np.random.default_rng(0)
    samples = rng.uniform(-0.5, 0.5, (channels, TEMPO.samples(44100))).astype(np.float32)
    return Clip(samples=samples)


def _blocks(clip: Clip, size: int = 40000) -> Iterator[Samples]:
    for first in range(0, clip.n, size):
        yield clip.samples[:, first : first + size]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize("subtype", ["pcm16", "pcm24", "float"])
def test_it_reads_as_what_was_written_at_once(suffix: str, subtype: str, tmp_path: Path) -> None:
    if (suffix, subtype) == (".flac", "float"):
        pytest.skip("FLAC holds no floats")
    clip, path, other = _sound(2), tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_blocks(
        path,
        _blocks(clip),
        rate=44100,
        channels=2,
        subtype=subtype,
        tempo=TEMPO,
        root=69,
        tags=TAGS,
    )
    files.write(other, clip, subtype=subtype, tempo=TEMPO, root=69, tags=TAGS)
    found, wanted = files.read(path), files.read(other)
    steps = {"pcm16": 2.0**-14, "pcm24": 2.0**-23, "float": 0.0}[subtype]
    if suffix in (".ogg", ".mp3"):
        steps = 1e-6
    assert found.samples.shape == wanted.samples.shape
    assert np.abs(found.samples - wanted.samples).max() <= steps
    assert files.read_loop(path) == TEMPO and files.read_tags(path) == files.read_tags(other)


def test_the_same_blocks_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write_blocks(
            tmp_path / name, _blocks(_sound()), rate=44100, channels=1, subtype="float", tags=TAGS
        )
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_what_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"older")

    def blocks() -> Iterator[Samples]:
        yield np.zeros((1, 1000), np.float32)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_blocks(path, blocks(), rate=44100, channels=1)
    assert path.read_bytes() == b"older" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("blocks", "sentence"),
    [
        ([np.zeros((1, 5), np.float32)], "5 samples are no 8 beats"),
        ([np.full((1, 5), np.nan, np.float32)], "no numbers"),
        ([], "without samples"),
    ],
)
def test_what_is_no_sound_is_refused(blocks: list[Samples], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=sentence):
        write_blocks(tmp_path / "a.wav", blocks, rate=44100, channels=1, tempo=TEMPO)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_the_machines_fault(tmp_path: Path) -> None:
    """In a process of its own, whose files may not grow."""
    import subprocess
    import sys

    code = (
        "import resource, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from audio.errors import MachineError\n"
        "from audio.stream import write_blocks\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try:\n"
        "    write_blocks(Path(sys.argv[1]), [np.ones((1, 90000), np.float32)] * 3,\n"
        "                 rate=44100, channels=1)\n"
        "except MachineError as error:\n"
        "    print('refused', error)\n"
    )
    path = tmp_path / "a.wav"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("refused") and not list(tmp_path.iterdir())
