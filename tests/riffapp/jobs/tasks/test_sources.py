"""A source opened: what is seen and said of it before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from audio import files as sounds
from audio.errors import ParameterError
from audio.types import Clip, Tempo
from riffapp.database import Database
from riffapp.gallery import Gallery
from riffapp.jobs.desk import Desk
from riffapp.jobs.tasks.sources import Opened, Opening, Source, opened_by
from riffapp.settings import Settings
from riffapp.studio.checkpoints import Instrument

Open = Callable[..., Opened]


@pytest.fixture
def opened(desk: Callable[[Opening], Desk], found: Settings) -> Open:
    def done(path: Path, **given: float) -> Opened:
        source = Source(path=path, **given)
        task = Opening(source=source, name=path.name, checkpoint=found.checkpoint)
        place = desk(task)
        task.perform(place)
        made = opened_by(place.job.id, found.home)
        assert made is not None
        return made

    return done


def test_a_loop_of_ours_says_its_tempo(opened: Open, loop: Path, found: Settings) -> None:
    shown = opened(loop)
    assert shown.facts["bpm"] == 120 and shown.facts["beats"] == 8 and shown.facts["loops"]
    assert shown.lines == ("asked for in A minor",)  # nothing had to be heard
    assert shown.source.bpm is None
    clip = sounds.read(shown.sound)
    assert np.abs(clip.samples - sounds.read(loop).samples).max() <= 2 / 32768


def test_a_long_piece_of_ours_says_its_tempo_too(
    opened: Open, loop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audio import tempo

    monkeypatch.setattr(tempo, "MAX_S", 1.0)  # of which only so much would be heard
    shown = opened(loop)
    assert shown.source.bpm is None and shown.facts["bpm"] == 120


def test_of_a_recording_tempo_and_bar_1_are_heard_and_said(
    opened: Open, recording: Path, found: Settings
) -> None:
    shown = opened(recording)
    source = shown.source
    assert source.bpm is not None and source.first_beat_s is not None
    # Clicks alone do not say which of them is a beat of a bar, so octaves are right too.
    assert min(abs(np.log2(source.bpm / 100) - k) for k in (-1, 0, 1)) < 0.01
    assert shown.lines[0].startswith(f"heard: {source.bpm:.2f} bpm (")
    assert "a bar at" in shown.lines[0] and "%" in shown.lines[0]
    # Whole bars, so that picture, grid and sound lie on one another.
    clip = sounds.read(shown.sound)
    assert clip.n == Tempo(bpm=shown.facts["bpm"], beats=shown.facts["beats"]).samples(44100)
    assert shown.facts["seconds"] == clip.duration_s > sounds.duration_s(recording)


def test_what_was_heard_is_not_heard_again(
    opened: Open,
    recording: Path,
    found: Settings,
    instrument: Instrument,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from audio import tempo

    source = opened(recording).source
    monkeypatch.delattr(tempo, "estimate_tempo")
    canvas = source.canvas(instrument.sound)
    assert canvas.lead > 0 and canvas.notes == ()


def test_a_tempo_that_is_given_is_taken(opened: Open, recording: Path, found: Settings) -> None:
    shown = opened(recording, bpm=100.0, first_beat_s=0.2)
    assert shown.facts["bpm"] == 100 and shown.facts["beats"] == 16
    wave = sounds.read(shown.sound).samples[0]
    first = int(np.argmax(wave > 0.5))  # a bar begins on it
    assert abs(first - 4 * 60 / 100 * 44100) < 200
    assert len(shown.lines) == 1


def test_a_picture_of_ours_is_its_own_source(opened: Open, loop: Path) -> None:
    shown = opened(loop.with_suffix(".png"))
    assert shown.facts["bpm"] == 120 and shown.lines == ()
    given, kept = Image.open(loop.with_suffix(".png")), Image.open(shown.picture)
    assert np.array_equal(np.asarray(given.convert("RGB")), np.asarray(kept.convert("RGB")))


def test_a_sound_is_drawn_on_the_picture_that_it_was_made_from(
    loop: Path, instrument: Instrument, tmp_path: Path
) -> None:
    sound, picture = tmp_path / "0a.wav", tmp_path / "0b.png"
    sound.write_bytes(loop.read_bytes())
    picture.write_bytes(loop.with_suffix(".png").read_bytes())
    own = np.asarray(Image.open(picture).convert("RGB"))
    with_it = Source(path=sound, picture=picture).canvas(instrument.sound)
    without = Source(path=sound).canvas(instrument.sound)
    assert np.array_equal(np.asarray(with_it.picture.convert("RGB")), own)
    assert not np.array_equal(np.asarray(without.picture.convert("RGB")), own)


def test_silence_is_refused(opened: Open, tmp_path: Path) -> None:
    sounds.write(tmp_path / "nothing.wav", Clip(samples=np.zeros((1, 99999), np.float32)))
    with pytest.raises(ParameterError, match="silent"):
        opened(tmp_path / "nothing.wav")


def test_a_source_is_no_work(opened: Open, loop: Path, database: Database) -> None:
    opened(loop)
    assert Gallery(database).count() == (0, 0)


def test_what_is_shown_may_be_gone(opened: Open, loop: Path, found: Settings) -> None:
    opened(loop).picture.unlink()
    assert opened_by(1, found.home) is None and opened_by(2, found.home) is None
