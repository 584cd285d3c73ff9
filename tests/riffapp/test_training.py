"""Training from nothing to a checkpoint that plays. On two steps it proves plumbing only."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from audio import detail
from riffapp.errors import UsageError
from riffapp.studio import checkpoints, dataset, evaluate, train, train_detail, train_judge
from riffapp.studio.judge import JUDGE_FILE, Judge, KeyNet, pitch_history
from riffapp.studio.text_to_audio import make_loops
from riffapp.studio.types import LoopRequest

BUDGET = train.Budget(
    loops=8, decoder_steps=2, diffusion_steps=2, word_steps=1, judge_epochs=1, batch=2
)


def test_training_is_resumed_and_ends_in_a_checkpoint_that_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "SHARD", 8)
    monkeypatch.setattr(train_judge, "HEARD", 2)
    monkeypatch.setattr(train_judge, "KEYS", 8)
    monkeypatch.setattr(train_judge, "BATCH", 4)
    monkeypatch.setattr(train, "taught_words", lambda: ("house", "drums", "a", "minor"))
    work, target = tmp_path / "work", tmp_path / "out" / "loops"
    train.train_embedded_loops(work, target, BUDGET, device="cpu")
    first = torch.load(work / "diffusion" / "state.pt", weights_only=True)
    assert first["step"] == 1  # of two, the first was labelled
    more = replace(BUDGET, diffusion_steps=4)
    train.train_embedded_loops(work, target, more, device="cpu")
    assert torch.load(work / "diffusion" / "state.pt", weights_only=True)["step"] == 2

    instrument = checkpoints.load(str(target), device="cpu")
    assert instrument.checkpoint.edge == ("down_blocks.0.resnets.0.conv1",)
    request = LoopRequest(prompt="house drums", bpm=124, steps=2, quality="draft")
    (result,) = make_loops(instrument, request)
    assert result.loop.clip.n == round(8 * 60 / 124 * 44100)
    verdict = Judge.load(target.parent / JUDGE_FILE, instrument.sound.params).hear(result.loop)
    assert set(verdict.presence) == {"drums", "bass", "chords", "lead"}

    # a trained checkpoint is where another training begins: after no step worth the name it is
    # the same but for the rounding to fp16
    again, further = tmp_path / "again", tmp_path / "further" / "loops"
    train.train_embedded_loops(again, further, BUDGET, start=target, device="cpu")
    before = load_file(target / "unet" / "diffusion_pytorch_model.safetensors")
    after = load_file(further / "unet" / "diffusion_pytorch_model.safetensors")
    assert max(float((before[name] - after[name]).abs().max()) for name in before) < 0.01


def test_a_budget_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="diffusion steps 0: give at least 1"):
        train.train_embedded_loops(tmp_path, tmp_path, train.Budget(diffusion_steps=0))


def test_a_song_and_its_picture_depend_on_its_number_alone() -> None:
    one, two = (dataset.song_number(3, bars=2, seed=1) for _ in range(2))
    assert one == two
    assert dataset.song_from_json(dataset.song_to_json(one)) == one
    assert np.array_equal(dataset.picture(one), dataset.picture(two))


def test_no_training_caption_is_a_test_prompt() -> None:
    rng = np.random.default_rng(0)
    songs = [dataset.song_number(i, bars=2, seed=1) for i in range(60)]
    trained = [dataset.training_caption(song, rng) for song in songs for _ in range(20)]
    assert not any(zlib.crc32(text.encode()) % 20 == 0 for text in trained)
    tested = [text for _, text in evaluate.unseen(12)]
    assert all(zlib.crc32(text.encode()) % 20 == 0 for text in tested)
    assert len(set(tested)) == 12


def test_the_judge_hears_a_transposed_loop_as_the_transposed_key() -> None:
    torch.manual_seed(0)
    net = KeyNet().eval()
    history = torch.rand(1, 5, 12, 16)
    scores = net(history).reshape(2, 12)
    up_a_third = net(torch.roll(history, 4, dims=2)).reshape(2, 12)
    assert torch.allclose(torch.roll(scores, 4, dims=1), up_a_third, atol=1e-5)


def test_pitch_history_shows_the_pitch_that_sounds() -> None:
    from audio.types import Clip, Loop, Tempo

    tempo = Tempo(bpm=120, beats=8)
    t = np.arange(tempo.samples(44100)) / 44100
    for midi in (45, 57, 64, 81):
        x = 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12) * t)
        loop = Loop(clip=Clip(samples=x[None].astype(np.float32)), tempo=tempo)
        history = pitch_history(loop)
        assert history.shape == (5, 12, 16)
        octave, pitch = np.unravel_index(history.mean(axis=2).argmax(), (5, 12))
        assert 36 + 12 * octave + pitch == midi


def test_a_tally_is_the_share_of_hits() -> None:
    tally = evaluate.Tally()
    for hit in (True, True, False, True):
        tally.add("drums", hit)
    assert tally.percent() == {"drums": 75.0}


def test_the_detail_network_is_trained_and_resumed(tmp_path: Path) -> None:
    """On four steps it proves plumbing, and that the file is what `audio.detail` reads."""
    vae = checkpoints.load("loops", device="cpu", threads=1).checkpoint.vae
    work, target = tmp_path / "work", tmp_path / "detail.safetensors"
    for steps in (2, 4):
        train_detail.train_detail(work, target, vae, loops=8, steps=steps, batch=2)
        assert torch.load(work / "state.pt", weights_only=True)["step"] == steps
    shapes = [{k: v.shape for k, v in load_file(path).items()} for path in (target, detail.FILE)]
    assert shapes[0] == shapes[1]
    with pytest.raises(UsageError, match="7 loops, 4 updates"):
        train_detail.train_detail(work, target, vae, loops=7, steps=4)
