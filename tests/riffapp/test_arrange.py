"""A finished loop's commands: exported, retimed, in stems and clips; on random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audio import files as sounds
from audio import midi
from audio.loops import seam
from audio.mix import loudness
from audio.synth import band
from audio.types import Clip, Tempo
from riffapp.studio import arrange, files
from riffapp.studio.arrange import Cuts
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest

WISH = LoopRequest(prompt="house drums, A minor", bpm=120, bars=2, seed=0, quality="draft")


@pytest.fixture
def loop(instrument: Instrument, tmp_path: Path) -> Path:
    (take,) = make_loops(instrument, WISH)
    files.save(take, tmp_path / "loop.wav")
    return tmp_path / "loop.wav"


@pytest.fixture
def track(tmp_path: Path) -> Path:
    """A loop of the band, four times, without a word about it."""
    clip = band.render(band.draw(np.random.default_rng(1), bars=2)).clip
    sounds.write(tmp_path / "track.wav", Clip(samples=np.tile(clip.samples, (1, 4))))
    return tmp_path / "track.wav"


def test_an_export_is_a_loop_of_a_loudness(
    loop: Path, tmp_path: Path, riffapp: Callable[..., Any]
) -> None:
    out, notes = tmp_path / "out.flac", tmp_path / "out.mid"
    done = riffapp("export", loop, "-o", out, "--lufs", -14, "--repeat", 2, "--midi", notes)
    assert done.code == 0, done.err
    assert sounds.read_loop(out) == Tempo(bpm=120, beats=16)
    assert sounds.read_tags(out) == sounds.read_tags(loop)
    heard = loudness(sounds.read(out), circular=True)
    assert heard.lufs == pytest.approx(-14, abs=0.5) and heard.true_peak_db <= -0.95
    assert midi.read_notes(notes)[0] == pytest.approx(120, abs=1e-3)


def test_a_count_in_comes_before(loop: Path, tmp_path: Path, riffapp: Callable[..., Any]) -> None:
    done = riffapp("export", loop, "--count-in", 1, "-o", tmp_path / "b.wav")
    assert done.code == 0, done.err
    assert sounds.read(tmp_path / "b.wav").n == 3 * 88200


@pytest.mark.parametrize(
    ("flags", "tempo"),
    [
        (("--bpm", 140), Tempo(bpm=140, beats=8)),
        (("--half",), Tempo(bpm=120, beats=16)),
        (("--double",), Tempo(bpm=120, beats=4)),
        (("--transpose", 3), Tempo(bpm=120, beats=8)),
        (("--bpm", 90, "--transpose", -2), Tempo(bpm=90, beats=8)),
    ],
)
@pytest.mark.parametrize("has_picture", [True, False])
def test_a_loop_is_retimed_exactly(
    loop: Path,
    tmp_path: Path,
    riffapp: Callable[..., Any],
    flags: tuple[object, ...],
    tempo: Tempo,
    has_picture: bool,
) -> None:
    """From its picture, or, where that does not lie beside it, stretched."""
    if not has_picture:
        loop.with_suffix(".png").unlink()
    done = riffapp("retime", loop, *flags, "-o", tmp_path / "b.wav")
    assert done.code == 0, done.err
    clip = sounds.read(tmp_path / "b.wav")
    assert sounds.read_loop(tmp_path / "b.wav") == tempo and clip.n == tempo.samples(44100)
    assert seam(clip).jump < 3


def test_stems_sum_to_the_sound(track: Path, tmp_path: Path, riffapp: Callable[..., Any]) -> None:
    done = riffapp("stems", track, "-o", tmp_path, "--bit-depth", "float")
    assert done.code == 0, done.err
    parts = [sounds.read(tmp_path / f"track-{n}.wav") for n in ("harmonic", "percussive")]
    whole = sounds.read(track).samples
    assert np.abs(parts[0].samples + parts[1].samples - whole).max() < 1e-3 * np.abs(whole).max()


def test_clips_lie_on_bars_and_are_the_same_again(track: Path) -> None:
    made = arrange.recording(track)
    bpm = band.draw(np.random.default_rng(1), bars=2).bpm
    found = arrange.clips_of(made, Cuts(count=5, bars=1, bpm=bpm, first_beat_s=0.0, seed=3))
    for start_s, clip, tempo in found:
        bar = start_s * bpm / 240
        assert abs(bar - round(bar)) < 1e-3 and tempo is not None
        assert clip.n == tempo.samples(44100)
    again = arrange.clips_of(made, Cuts(count=5, bars=1, bpm=bpm, first_beat_s=0.0, seed=3))
    assert [one[0] for one in again] == [one[0] for one in found]
    free = arrange.clips_of(made, Cuts(count=3, duration_ms=500, seed=3))
    assert all(clip.n == 22050 and tempo is None for _, clip, tempo in free)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("export", "none.wav"), "no file none.wav"),
        (("export", "TRACK", "--click"), "says no tempo: a click needs one"),
        (("export", "TRACK", "--repeat", 0), "0 repeats: give 1 to 256"),
        (("retime", "TRACK", "--bpm", 120), "say which one it has (--from-bpm)"),
        (("retime", "TRACK", "--bpm", 1000), "bpm 1000 is outside 40 to 240"),
        (("stems", "TRACK", "--model", "htdemucs"), "say where its files are"),
        (("clips", "TRACK", "--bars", 500, "--bpm", 120), "give fewer"),
        (("clips", "TRACK", "--duration-ms", 1e7), "give shorter ones"),
        (("export", "TRACK", "-o", "x.xyz"), "no sound file's name"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    track: Path, riffapp: Callable[..., Any], words: tuple[object, ...], sentence: str
) -> None:
    done = riffapp(*(track if word == "TRACK" else word for word in words))
    assert done.code == 2 and sentence in done.err and done.err.count("\n") == 1
