"""Sound from sound: what stays, how long it is, what is refused; and, on the embedded model, that a
region plays what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from audio import files as sounds
from audio.types import Clip, Loop, Tempo
from riffapp.errors import UsageError
from riffapp.studio import checkpoints, files
from riffapp.studio.canvas import open_canvas
from riffapp.studio.checkpoints import Instrument
from riffapp.studio.judge import JUDGE_FILE, Judge
from riffapp.studio.remake import Region, extend, redo, reimagine
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest

WISH = LoopRequest(prompt="house drums, A minor", bpm=120, bars=2, seed=0, quality="draft")
OTHER = LoopRequest(prompt="techno drums", seed=5, quality="draft")


@pytest.fixture(scope="module")
def loop(instrument: Instrument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loop") / "loop.wav"
    (take,) = make_loops(instrument, WISH)
    files.save(take, path)
    return path


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Clicks at 100 bpm, the first after 0.2 s, and an odd length with a tail."""
    samples = np.zeros((2, 123457), np.float32)
    for k in range(4):
        at = round((0.2 + k * 0.6) * 44100)
        samples[:, at : at + 200] = np.hanning(200)
    sounds.write(tmp_path / "hum.wav", Clip(samples=samples))
    return tmp_path / "hum.wav"


def _pixels(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(image.convert("RGB"))


def test_an_own_loop_is_its_own_picture_and_tempo(instrument: Instrument, loop: Path) -> None:
    canvas = open_canvas(loop, instrument.sound)
    assert canvas.tempo == Tempo(bpm=120, beats=8) and canvas.closed and canvas.lead == 0
    assert np.array_equal(_pixels(canvas.picture), _pixels(Image.open(loop.with_suffix(".png"))))
    assert canvas.request is not None and canvas.request.prompt == WISH.prompt
    pictured = open_canvas(loop.with_suffix(".png"), instrument.sound)
    assert pictured.tempo == canvas.tempo and pictured.closed


def test_a_recording_is_laid_on_its_beats_and_keeps_its_length(
    instrument: Instrument, recording: Path
) -> None:
    canvas = open_canvas(recording, instrument.sound, bpm=100, first_beat_s=0.2)
    bar = 2.4 * 44100
    assert (canvas.lead + 0.2 * 44100) % bar == pytest.approx(0, abs=1)
    assert canvas.padded.n == canvas.tempo.samples(44100) and canvas.tempo.beats % 4 == 0
    per_bar = canvas.picture.width // canvas.bars
    dark = 255 - _pixels(canvas.picture)[..., 0].astype(float).mean(0)
    assert abs(int(np.argmax(np.diff(dark))) - per_bar) <= 2  # the first click is on bar 2
    for strength in (0.0, 0.5):
        made = reimagine(instrument, canvas, OTHER, strength=strength)
        assert made.clip.n == 123457 and made.tempo is None


def test_strength_0_is_the_codecs_own_round_trip(instrument: Instrument, loop: Path) -> None:
    canvas = open_canvas(loop, instrument.sound)
    made = reimagine(instrument, canvas, OTHER, strength=0.0)
    assert np.array_equal(_pixels(made.picture), _pixels(canvas.picture))
    (take,) = make_loops(instrument, WISH)
    assert np.array_equal(made.clip.samples, take.loop.clip.samples)


def test_only_the_region_is_drawn_again(instrument: Instrument, loop: Path) -> None:
    canvas = open_canvas(loop, instrument.sound)
    made = redo(instrument, canvas, OTHER, region=Region(first_bar=1, last_bar=2, high_hz=300))
    before, after = _pixels(canvas.picture), _pixels(made.picture)
    changed = (before != after).any(-1)
    low = 32 - int(np.flatnonzero(changed.any(1))[0])
    assert changed.any() and not changed[:, :64].any() and low < 12
    half = canvas.clip.n // 2
    held = slice(half // 4, half - half // 4)
    assert np.array_equal(made.clip.samples[:, held], canvas.clip.samples[:, held])
    assert not np.array_equal(made.clip.samples[:, half:], canvas.clip.samples[:, half:])


def test_a_mask_says_where_and_how_much(instrument: Instrument, loop: Path) -> None:
    canvas = open_canvas(loop, instrument.sound)
    mask = Image.new("L", canvas.picture.size, 0)
    mask.paste(128, (32, 0, 64, 32))
    made = redo(instrument, canvas, OTHER, mask=mask)
    changed = (_pixels(canvas.picture) != _pixels(made.picture)).any(-1).any(0)
    assert changed[32:64].any() and not changed[:32].any() and not changed[64:].any()


def test_a_loop_is_played_on(instrument: Instrument, loop: Path) -> None:
    canvas = open_canvas(loop, instrument.sound)
    made = extend(instrument, canvas, OTHER, before=1, after=2)
    assert made.canvas.tempo == Tempo(bpm=120, beats=20) == made.tempo
    assert np.array_equal(_pixels(made.picture)[:, 64:192], _pixels(canvas.picture))
    assert _pixels(made.picture)[:, 192:].min() < 250  # something was drawn there
    inside = made.clip.samples[:, 100000 : 100000 + 50000]
    assert np.array_equal(inside, canvas.clip.samples[:, 100000 - 88200 : 150000 - 88200])


def test_what_was_made_is_told_in_its_files(
    instrument: Instrument, loop: Path, tmp_path: Path
) -> None:
    canvas = open_canvas(loop, instrument.sound)
    made = redo(instrument, canvas, OTHER, region=Region(first_bar=0, last_bar=1))
    saved = files.save_remade(made, tmp_path / "b.wav", bit_depth="16")
    found = files.record_of(saved.picture)
    assert found.request == made.request and found.source is not None
    assert found.source["sha256"] == canvas.sha256
    again = open_canvas(saved.sound, instrument.sound)
    assert again.closed and np.array_equal(_pixels(again.picture), _pixels(made.picture))


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (np.zeros((1, 44100), np.float32), "is silent: give a sound"),
        (np.ones((1, 441), np.float32), "lasts 10 ms: give a sound of at least 250 ms"),
        (np.full((1, 44100), np.nan, np.float32), "samples that are no numbers"),
    ],
)
def test_what_is_no_sound_to_draw_on_is_refused(
    instrument: Instrument,
    samples: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    sentence: str,
    tmp_path: Path,
) -> None:
    import soundfile

    path = tmp_path / "a.wav"
    soundfile.write(path, samples.T, 44100, "FLOAT")
    with pytest.raises(Exception, match=sentence):
        open_canvas(path, instrument.sound, bpm=120)


def test_three_hours_are_refused_before_they_are_read(
    instrument: Instrument, tmp_path: Path
) -> None:
    import soundfile

    with soundfile.SoundFile(tmp_path / "a.wav", "w", 8000, 1, "PCM_U8") as file:
        for _ in range(180):
            file.write(np.zeros(60 * 8000, np.float32))
    with pytest.raises(UsageError, match="lasts 180 min: at most 20 min"):
        open_canvas(tmp_path / "a.wav", instrument.sound, bpm=120)


def test_8_khz_mono_is_taken(instrument: Instrument, tmp_path: Path) -> None:
    tone = np.sin(np.arange(16000) * 0.3).astype(np.float32)[None] * 0.5
    sounds.write(tmp_path / "a.wav", Clip(samples=tone, rate=8000))
    canvas = open_canvas(tmp_path / "a.wav", instrument.sound, bpm=120)
    assert canvas.clip.rate == 44100 and canvas.clip.n == 88200 and canvas.bars == 1


@pytest.mark.parametrize(
    ("region", "sentence"),
    [
        (Region(first_bar=1, last_bar=3), "bars 1 to 3 of 2"),
        (Region(first_bar=1, last_bar=1), "bars 1 to 1 of 2"),
        (Region(low_hz=500, high_hz=501), "500 to 501 Hz is no band"),
    ],
)
def test_a_region_that_is_none_is_refused(
    instrument: Instrument, loop: Path, region: Region, sentence: str
) -> None:
    canvas = open_canvas(loop, instrument.sound)
    with pytest.raises(UsageError, match=sentence):
        redo(instrument, canvas, OTHER, region=region)


def test_a_black_mask_and_no_bars_are_refused(instrument: Instrument, loop: Path) -> None:
    canvas = open_canvas(loop, instrument.sound)
    with pytest.raises(UsageError, match="mask is black"):
        redo(instrument, canvas, OTHER, mask=Image.new("L", (9, 9)))
    with pytest.raises(UsageError, match="give 1 or more"):
        extend(instrument, canvas, OTHER)
    with pytest.raises(UsageError, match="strength 2"):
        reimagine(instrument, canvas, OTHER, strength=2)


def test_the_commands_make_files(
    loop: Path, tiny: Path, tmp_path: Path, riffapp: Callable[..., Any]
) -> None:
    here = ("--checkpoint", tiny, "--quality", "draft", "--seed", 1)
    for name, more in (
        ("remix", ("techno drums", "--strength", 0.4)),
        ("edit", ("saw bass", "--bars", "2-2", "--band", "0-300")),
        ("extend", ("--after", 1)),
    ):
        done = riffapp(name, loop, *more, *here, "-o", tmp_path / f"{name}.wav")
        assert done.code == 0, done.err
        assert (tmp_path / f"{name}.wav").is_file() and (tmp_path / f"{name}.png").is_file()
    refused = riffapp("edit", loop, "saw bass", *here)
    assert refused.code == 2 and "nothing to edit is named" in refused.err
    refused = riffapp("loop", "--from", tmp_path / "edit.wav", *here[:2])
    assert refused.code == 2 and "was made from another sound" in refused.err


def test_the_embedded_model_plays_in_the_region_what_was_asked(tmp_path: Path) -> None:
    """No drums, then drums in the second half: the judge hears them where they were asked."""
    embedded = checkpoints.load("loops", device="cpu", threads=1)
    judge = Judge.load(checkpoints.EMBEDDED / JUDGE_FILE, embedded.sound.params)
    wish = replace(WISH, prompt="warm pad chords, no drums, no lead, A minor", bars=4, seed=1)
    (take,) = make_loops(embedded, replace(wish, checkpoint="loops"))
    files.save(take, tmp_path / "a.wav")
    canvas = open_canvas(tmp_path / "a.wav", embedded.sound)
    words = replace(wish, prompt="house drums, warm pad chords, A minor", seed=2)
    made = redo(embedded, canvas, words, region=Region(first_bar=2, last_bar=4))
    half = canvas.clip.n // 2
    tempo = Tempo(bpm=120, beats=8)
    heard = []
    for first in (0, half):
        part = Clip(samples=made.clip.samples[:, first : first + half])
        heard.append(judge.hear(Loop(clip=part, tempo=tempo)))
    assert "drums" not in heard[0].players and "drums" in heard[1].players
