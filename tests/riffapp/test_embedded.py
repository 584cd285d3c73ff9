"""The embedded checkpoint: what the product does, measured in the sound that it makes.

A short twin of `riffapp evaluate`, on drums and genre, which the model is surest of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from audio import files as sounds
from audio import loops
from audio.synth.band import PARTS
from audio.types import Clip, Loop, Tempo
from riffapp.studio import checkpoints
from riffapp.studio.checkpoints import EMBEDDED, Instrument
from riffapp.studio.judge import JUDGE_FILE, Judge, Verdict
from riffapp.studio.text_to_audio import make_loops, render
from riffapp.studio.train import sound_facts
from riffapp.studio.types import LoopRequest, LoopResult

DRUMS = ("house", "trap", "drum and bass")


@pytest.fixture(scope="module")
def loops_model() -> Instrument:
    return checkpoints.load("loops", device="cpu", threads=1)


@pytest.fixture(scope="module")
def judge(loops_model: Instrument) -> Judge:
    return Judge.load(EMBEDDED / JUDGE_FILE, loops_model.sound.params)


@pytest.fixture(scope="module")
def drum_loops(loops_model: Instrument) -> list[LoopResult]:
    """One loop of drums alone in each of three genres."""

    def made() -> Iterator[LoopResult]:
        for i, genre in enumerate(DRUMS):
            request = LoopRequest(prompt=f"{genre} drums", bpm=120, seed=i, quality="draft")
            yield from make_loops(loops_model, request)

    return list(made())


def test_the_checkpoint_is_small_and_whole() -> None:
    weights = sum(f.stat().st_size for f in (EMBEDDED / "loops").rglob("*.safetensors"))
    assert 1e6 < weights <= 60e6
    for name in ("model_index.json", "sound.json", "README.md"):
        assert (EMBEDDED / "loops" / name).is_file()


def test_it_knows_at_least_a_hundred_words_and_says_which(loops_model: Instrument) -> None:
    assert len(loops_model.sound.words) >= 100
    assert {"house", "techno", "bass", "piano", "flute", "minor"} <= set(loops_model.sound.words)


def test_its_sound_json_is_what_the_recipe_writes() -> None:
    written = json.loads((EMBEDDED / "loops" / "sound.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(sound_facts()))


def test_drums_that_are_asked_for_are_heard_in_their_genre(
    drum_loops: list[LoopResult], judge: Judge
) -> None:
    verdicts = [judge.hear(result.loop) for result in drum_loops]
    assert all("drums" in verdict.players for verdict in verdicts)
    assert [verdict.genre for verdict in verdicts] == list(DRUMS)


def test_drums_that_are_not_asked_for_stay_away(loops_model: Instrument, judge: Judge) -> None:
    request = LoopRequest(prompt="flute melody, sustained strings chords", key="D minor", seed=4)
    (result,) = make_loops(loops_model, request)
    verdict: Verdict = judge.hear(result.loop)
    assert "drums" not in verdict.players
    assert {"chords", "lead"} & set(verdict.players)


def test_loops_have_no_seam_at_any_tempo(drum_loops: list[LoopResult]) -> None:
    # one step between two samples is a matter of chance; nine loops' median is not
    jumps = [
        loops.seam(render(r.picture, r.params, Tempo(bpm=bpm, beats=8), quality="draft").clip).jump
        for r in drum_loops
        for bpm in (40.0, 124.0, 240.0)
    ]
    assert float(np.median(jumps)) <= 2


@pytest.mark.parametrize("bars", [1, 4])
def test_other_lengths_keep_the_beat(loops_model: Instrument, judge: Judge, bars: int) -> None:
    request = LoopRequest(prompt="house drums", bpm=124, bars=bars, seed=1, quality="draft")
    (result,) = make_loops(loops_model, request)
    assert result.loop.clip.n == Tempo(bpm=124, beats=4 * bars).samples(44100)
    # the judge hears two bars at a time: one bar is played twice, four are cut
    samples = result.loop.clip.samples
    two = np.tile(samples, (1, 2)) if bars == 1 else samples
    tempo = Tempo(bpm=124, beats=8)
    length = tempo.samples(44100)
    samples = np.resize(two, (1, length)) if two.shape[1] < length else two[:, :length]
    verdict = judge.hear(Loop(clip=Clip(samples=np.ascontiguousarray(samples)), tempo=tempo))
    assert "drums" in verdict.players
    assert verdict.genre == "house"


def test_the_judge_knows_the_band_it_was_trained_on(judge: Judge) -> None:
    from audio.synth.band import render as play
    from riffapp.studio.dataset import song_number
    from riffapp.studio.evaluate import TEST_SEED, Tally, score

    tally = Tally()
    for i in range(25):
        song = song_number(5000 + i, bars=2, seed=TEST_SEED)
        score(judge.hear(play(song)), song, tally)
    percent = tally.percent()
    for part in PARTS:
        assert percent[f"{part} asked, present"] >= 90
    assert percent["genre (with drums)"] >= 90
    assert percent["key (with chords)"] >= 80


def test_the_model_card_stands_beside_the_weights() -> None:
    card = Path(EMBEDDED / "loops" / "README.md").read_text(encoding="utf-8")
    for heading in ("Data", "Recipe", "Measured", "Limits"):
        assert f"## {heading}" in card


def test_detail_is_finer_and_made_again_from_its_file(
    tmp_path: Path, riffapp: Callable[..., Any]
) -> None:
    """Twice the bands and frames, the same bytes again from the PNG alone, at any tempo."""
    first = ("loop", "house drums, saw bass", "--seed", 3, "--steps", 4, "--threads", 1)
    done = riffapp(*first, "--detail", "-o", tmp_path / "a.wav")
    assert done.code == 0, done.err
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (512, 256)
    done = riffapp("loop", "--from", tmp_path / "a.png", "-o", tmp_path / "b.wav")
    assert done.code == 0, done.err
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()
    done = riffapp("image-to-audio", tmp_path / "a.png", "--bpm", 90, "-o", tmp_path / "c.wav")
    assert done.code == 0, done.err
    assert sounds.read(tmp_path / "c.wav").n == Tempo(bpm=90, beats=8).samples(44100)


def test_detail_is_refused_on_another_grid(
    tiny: Path, tmp_path: Path, riffapp: Callable[..., Any]
) -> None:
    done = riffapp(
        "loop", "house drums", "--checkpoint", tiny, "--detail", "-o", tmp_path / "a.wav"
    )
    assert done.code == 2 and "detail was learned on 128 bands" in done.err
    assert list(tmp_path.iterdir()) == []
