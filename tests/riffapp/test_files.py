"""Names: what is written where, and what is never replaced."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from riffapp.errors import MachineError, UsageError
from riffapp.studio import files
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.plan import plan_loop
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest

WISH = LoopRequest(prompt="house drums, saw bass", key="F# minor", bpm=124, seed=7)


def test_one_take_has_the_name_itself_and_several_are_numbered(tmp_path: Path) -> None:
    assert files.targets(tmp_path / "a.flac", WISH) == (tmp_path / "a.flac",)
    several = files.targets(tmp_path / "a.b.wav", replace(WISH, takes=3))
    assert [p.name for p in several] == ["a.b_1.wav", "a.b_2.wav", "a.b_3.wav"]


def test_a_name_of_ours_tells_words_key_tempo_length_and_seed() -> None:
    assert files.name_for(WISH) == "house_drums_saw_bass_Fsharp_minor_124bpm_2bars_7"
    assert files.name_for(replace(WISH, prompt="../..//x", key=None)) == "x_124bpm_2bars_7"
    assert files.name_for(replace(WISH, prompt="!!", key=None)) == "loop_124bpm_2bars_7"
    long = files.name_for(replace(WISH, prompt="drums " * 300))
    assert len(long) < 100


def test_a_name_of_ours_never_replaces_a_file(tmp_path: Path) -> None:
    (first,) = files.targets(tmp_path, WISH, suffix="ogg")
    assert first == tmp_path / (files.name_for(WISH) + ".ogg")
    first.touch()
    (second,) = files.targets(tmp_path, WISH, suffix="ogg")
    assert second.stem == first.stem + "-2"
    second.with_suffix(".png").touch()
    (third,) = files.targets(tmp_path, WISH, suffix="ogg")
    assert third.stem == first.stem + "-3"


def test_what_goes_beside_a_file_replaces_nothing(tmp_path: Path) -> None:
    assert files.beside(tmp_path / "a.png", ".wav") == tmp_path / "a.wav"
    (tmp_path / "a.wav").touch()
    assert files.beside(tmp_path / "a.png", ".wav") == tmp_path / "a-2.wav"


def test_the_format_may_stand_apart(tmp_path: Path) -> None:
    assert files.targets(tmp_path / "a", WISH, suffix="mp3")[0].name == "a.mp3"
    assert files.targets(tmp_path / "a", WISH)[0].name == "a.wav"
    assert files.targets(tmp_path / "A.WAV", WISH, suffix="wav")[0].name == "A.WAV"


@pytest.mark.parametrize(
    ("name", "suffix", "sentence"),
    [
        ("a.aiff", None, "a.aiff is no sound file's name: known are .wav, .flac, .ogg, .mp3"),
        ("a.png", None, "is no sound file's name"),
        ("a.wav", "mp3", "a.wav and format 'mp3' disagree"),
        ("a", "aac", "unknown format 'aac'"),
        ("no/a.wav", None, "make it first"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    tmp_path: Path, name: str, suffix: str | None, sentence: str
) -> None:
    with pytest.raises(UsageError) as refused:
        files.targets(tmp_path / name, WISH, suffix=suffix)
    assert sentence in str(refused.value)


def test_flac_holds_no_floats(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="FLAC holds 16 or 24 bit"):
        files.targets(tmp_path / "a.flac", replace(WISH, bit_depth="float"))


def test_a_folder_that_is_not_writable_is_the_machines_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(MachineError, match="is not writable"):
        files.targets(tmp_path / "a.wav", WISH)


def test_a_picture_that_riffapp_did_not_make_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"somebody's own")
    with pytest.raises(UsageError, match="riffapp did not make it"):
        files.targets(tmp_path / "a.wav", WISH)


def test_our_own_files_are_replaced(tmp_path: Path, instrument: Instrument) -> None:
    wish = replace(WISH, bars=1, bpm=240.0, quality="draft")
    (path,) = files.targets(tmp_path / "a.wav", plan_loop(wish, instrument.sound))
    for seed in (1, 2):
        (take,) = make_loops(instrument, replace(wish, seed=seed))
        files.save(take, path)
        assert files.targets(path, take.request) == (path,)
    for made in (path, path.with_suffix(".png")):
        assert files.record_of(made).request == take.request


def test_a_file_without_settings_is_refused(tmp_path: Path, instrument: Instrument) -> None:
    (take,) = make_loops(instrument, replace(WISH, bars=1, bpm=240.0, quality="draft"))
    files.save_clip(take.loop.clip, tmp_path / "bare.wav", bit_depth="16")
    with pytest.raises(UsageError, match="holds no settings of a loop"):
        files.record_of(tmp_path / "bare.wav")
    with pytest.raises(UsageError, match="no file"):
        files.record_of(tmp_path / "absent.wav")
